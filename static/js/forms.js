/* Comfort inside forms: unsaved changes, passwords, lists of values, fields that depend on others,
   deleting only after typing the name. The server checks everything again and needs none of this. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* Unsaved changes */
  const state = (form) => JSON.stringify([...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken").map(([name, value]) => [name, String(value)]));
  for (const form of all("form[data-guard]")) {
    const refused = form.querySelector("[aria-invalid=true]") !== null;
    const before = state(form);
    let leaving = false;
    form.addEventListener("submit", () => { leaving = true; });
    addEventListener("pageshow", () => { leaving = false; });
    addEventListener("beforeunload", (event) => {
      if (!leaving && (refused || state(form) !== before)) event.preventDefault();
    });
    all("[data-leave]", form).forEach((link) => link.addEventListener("click", () => { leaving = true; }));
  }

  /* One submit per click: a second click on a slow line must not send the form twice. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 8000);
  });
  addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => delete form.dataset.sent));

  /* Passwords: show and hide, make one, say how strong */
  const alphabets = ["abcdefghijkmnopqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789"];
  const pick = (text) => {
    const limit = 256 - (256 % text.length); /* no modulo bias */
    for (;;) {
      const [byte] = crypto.getRandomValues(new Uint8Array(1));
      if (byte < limit) return text[byte % text.length];
    }
  };
  const makePassword = () => {
    const any = alphabets.join("");
    for (;;) {
      const groups = Array.from({ length: 4 }, () => Array.from({ length: 4 }, () => pick(any)).join(""));
      const made = groups.join("-");
      if (alphabets.every((alphabet) => [...made].some((letter) => alphabet.includes(letter)))) return made;
    }
  };
  const strength = (text) => {
    const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^\da-zA-Z]/].filter((kind) => kind.test(text)).length;
    const different = new Set(text).size;
    if (text.length < 8) return 0;
    if (different < 6 || (kinds < 2 && text.length < 16)) return 1;
    return text.length >= 14 && different >= 9 ? 3 : 2;
  };
  for (const box of all("[data-password]")) {
    const input = box.querySelector("input");
    const reveal = box.querySelector("[data-reveal]");
    const show = (visible) => {
      input.type = visible ? "text" : "password";
      reveal?.setAttribute("aria-pressed", String(visible));
      all("[data-when]", box).forEach((icon) => { icon.hidden = (icon.dataset.when === "shown") !== visible; });
    };
    reveal?.addEventListener("click", () => { show(input.type === "password"); input.focus(); });
    input.form?.addEventListener("submit", () => show(false));
    const hint = box.parentElement.querySelector("[data-strength]");
    const judge = () => {
      if (!hint) return;
      const level = strength(input.value);
      hint.hidden = input.value === "";
      hint.querySelector(".usage").dataset.tone = ["bad", "warn", "brand", "brand"][level];
      hint.querySelector("rect").setAttribute("width", `${(level + 1) * 25}%`);
      hint.querySelector("[data-word]").textContent = hint.dataset.words.split("|")[level];
    };
    input.addEventListener("input", judge);
    box.querySelector("[data-generate]")?.addEventListener("click", () => {
      input.value = makePassword();
      /* "… again" gets the same one: nobody types what he did not choose */
      for (const again of input.form ? all('input[autocomplete="new-password"]', input.form) : []) again.value = input.value;
      show(true);
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.focus();
    });
    judge();
  }

  /* Lists of values: one line each, more lines on demand, a pasted list becomes lines */
  for (const box of all("[data-value-rows]")) {
    const list = box.querySelector(".value-rows");
    const template = box.querySelector("template");
    const rows = () => all(".value-row", list);
    const add = (value = "") => {
      const row = template.content.firstElementChild.cloneNode(true);
      const input = row.querySelector("input");
      input.value = value;
      input.setAttribute("aria-label", `${box.dataset.label} ${rows().length + 1}`);
      list.append(row);
      return input;
    };
    box.querySelector("[data-add]").addEventListener("click", () => add().focus());
    list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-remove]")?.closest(".value-row");
      if (!row) return;
      const near = row.nextElementSibling ?? row.previousElementSibling;
      if (rows().length > 1) row.remove(); else row.querySelector("input").value = "";
      (near?.querySelector("input") ?? box.querySelector("[data-add]")).focus();
      list.dispatchEvent(new Event("input", { bubbles: true }));
    });
    list.addEventListener("paste", (event) => {
      const values = event.clipboardData.getData("text").split(/[\s,;]+/).filter(Boolean);
      if (values.length < 2 || !event.target.matches("input")) return;
      event.preventDefault();
      event.target.value = values.shift();
      const empty = rows().map((row) => row.querySelector("input")).filter((input) => !input.value);
      values.forEach((value) => { const free = empty.shift(); if (free) free.value = value; else add(value); });
      event.target.dispatchEvent(new Event("input", { bubbles: true }));
    });
    list.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input") || !event.target.value) return;
      event.preventDefault(); /* Enter asks for the next line; the form has its button */
      const next = event.target.closest(".value-row").nextElementSibling;
      (next?.querySelector("input") ?? add()).focus();
    });
  }

  /* A whole address pasted into the local part is divided over both controls. */
  for (const box of all("[data-address]")) {
    const local = box.querySelector("input");
    const domain = box.querySelector("select");
    local.addEventListener("input", () => {
      const [, before, after] = local.value.match(/^(.*)@([^@]+)$/) ?? [];
      const option = after && [...domain.options].find((one) => one.text.toLowerCase() === after.trim().toLowerCase());
      if (option) { local.value = before; domain.value = option.value; }
    });
  }

  /* data-shown-when="field=value another": the group is shown while the field has one of the values ("off": not ticked);
     "field!=text": while it has another one (an address may be two controls). */
  for (const group of all("[data-shown-when]")) {
    const [, name, sign, wanted] = group.dataset.shownWhen.match(/^([\w-]+)(!?=)(.*)$/);
    const form = group.closest("form");
    const follow = () => {
      const sent = new FormData(form);
      if (sign === "=") {
        const values = sent.has(name) ? sent.getAll(name) : ["off"];
        group.hidden = !wanted.split(" ").some((value) => values.includes(value));
      } else {
        const value = sent.get(name) ?? `${sent.get(`${name}_local`)}@${sent.get(`${name}_domain`)}`;
        group.hidden = wanted === "" || value.trim().toLowerCase() === wanted.toLowerCase();
      }
      if (form.querySelector(`[name="${name}"]`)?.closest("[data-shown-when]")?.hidden) group.hidden = true;
      const more = group.closest(".more-group"); /* folds with nothing in them are not shown */
      if (more) more.hidden = all(".field", more).every((field) => field.hidden);
    };
    const there = [name, `${name}_local`].some((one) => form.elements.namedItem(one));
    if (there) { ["change", "input"].forEach((kind) => form.addEventListener(kind, follow)); follow(); }
  }

  /* Steps: one section at a time. A step is left when what it needs is there; after a refusal the first refused one
     is shown. Every step can be sent: what follows may stay as it is. */
  for (const card of all("[data-steps]")) {
    const sections = all("[data-step]", card);
    if (sections.length < 2) continue;
    const marks = all("[data-step-to]", card);
    const back = card.querySelector("[data-step-back]");
    const next = card.querySelector("[data-step-next]");
    let at = 0;
    const isEmpty = (section) => all(".field", section).every((field) => field.hidden); /* other choices rule it out */
    const beside = (step) => {
      let index = at + step;
      while (sections[index] && isEmpty(sections[index])) index += step;
      return sections[index] ? index : -1;
    };
    const show = (number) => {
      at = number;
      sections.forEach((section, index) => { section.hidden = index !== at; });
      marks.forEach((mark, index) => { mark.parentElement.hidden = isEmpty(sections[index]); if (index === at) mark.setAttribute("aria-current", "step"); else mark.removeAttribute("aria-current"); });
      back.hidden = beside(-1) < 0;
      next.hidden = beside(1) < 0;
    };
    const isReady = (section) => all("input, select, textarea", section).filter((one) => one.getClientRects().length).every((one) => one.reportValidity());
    const go = (number) => {
      if (number > at && !isReady(sections[at])) return;
      show(number);
      [...sections[at].querySelectorAll("input, select, textarea")].find((one) => one.getClientRects().length)?.focus();
    };
    back.addEventListener("click", () => go(beside(-1)));
    next.addEventListener("click", () => go(beside(1)));
    card.closest("form").addEventListener("change", () => show(at));
    marks.forEach((mark, index) => mark.addEventListener("click", () => go(index)));
    card.classList.add("stepping");
    show(Math.max(0, sections.findIndex((section) => section.matches("[data-refused]"))));
  }

  /* Names that exist, offered while somebody types: data-suggest is the address that answers ?q= with a JSON list. */
  const offered = document.createElement("datalist");
  offered.id = "suggestions";
  let asking;
  const offer = (field) => {
    if (!field?.matches?.("[data-suggest]")) return;
    document.body.append(offered);
    field.setAttribute("list", offered.id);
  };
  document.addEventListener("focusin", (event) => offer(event.target));
  offer(document.activeElement); /* autofocus comes before any script */
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.matches("[data-suggest]")) return;
    clearTimeout(asking);
    asking = setTimeout(async () => {
      const answer = await fetch(`${field.dataset.suggest}?${new URLSearchParams({ q: field.value })}`, { headers: { Accept: "application/json" } }).catch(() => null);
      if (!answer?.ok || answer.redirected) return; /* no suggestions, then */
      const names = await answer.json();
      offered.replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name })));
    }, 200);
  });

  /* The first refused field has the focus after a refusal; by now it is known which step shows. */
  document.querySelector("main [aria-invalid=true]")?.focus();

  /* Deleting: the button wakes up when the name stands in the field. */
  for (const input of all("[data-must-equal]")) {
    const button = input.form.querySelector("[data-confirmed]");
    const compare = () => {
      const same = input.value.trim().toLowerCase() === input.dataset.mustEqual.toLowerCase();
      button.setAttribute("aria-disabled", String(!same));
      button.disabled = !same;
    };
    input.addEventListener("input", compare);
    compare();
  }
})();
