/* What every page does beyond plain HTML: menus that close, keys, copying, toasts, htmx's manners.
   Everything here is an addition; each page works without it. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const announce = (text) => {
    const region = document.getElementById("announce");
    if (region) region.textContent = text;
  };

  /* Menus are <details>; one is open at a time, Escape and a click elsewhere close it. */
  const closeMenus = (except) => all("details.menu[open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  document.addEventListener("click", (event) => closeMenus(event.target.closest?.("details.menu")));
  document.addEventListener("focusin", (event) => closeMenus(event.target.closest?.("details.menu")));
  document.addEventListener("keydown", (event) => {
    const menu = document.activeElement?.closest?.("details.menu[open]");
    if (!menu) return;
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const items = all(".menu-item", menu);
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = items.indexOf(document.activeElement) + step;
      if (items.length) items.at(next < 0 ? -1 : next % items.length).focus();
      event.preventDefault();
    }
  });

  /* Keys. Single letters can be switched off in the help dialog (WCAG 2.1.4). */
  const keysOn = () => { try { return localStorage.getItem("keys") !== "off"; } catch { return true; } };
  const typing = (element) => element?.matches?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const focusSearch = (selectors) => {
    const field = selectors.map((one) => document.querySelector(one)).find(Boolean);
    field?.focus();
    field?.select?.();
    return Boolean(field);
  };
  const find = () => { window.panelFind?.(); return Boolean(window.panelFind); }; /* static/js/find.js */
  const walk = (step) => {
    const rows = all("[data-rows] > tr");
    if (!rows.length) return false;
    const at = rows.findIndex((row) => row.classList.contains("current"));
    const row = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)];
    rows.forEach((one) => one.classList.toggle("current", one === row));
    row.querySelector("a")?.focus();
    row.scrollIntoView({ block: "nearest" });
    return true;
  };
  const keys = {
    "/": () => focusSearch(["[data-list-search]"]) || find(),
    j: () => walk(1),
    k: () => walk(-1),
    x: () => {
      const row = document.activeElement?.closest?.("[data-rows] > tr") ?? document.querySelector("[data-rows] > tr.current");
      const box = row?.querySelector("[data-select]");
      box?.click();
      return Boolean(box);
    },
    n: () => { const link = document.querySelector("[data-key=n]"); link?.click(); return Boolean(link); },
    "?": () => { const help = document.getElementById("help"); help?.showModal(); return Boolean(help); },
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      if (find() || focusSearch(["[data-list-search]"])) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (!keysOn() || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (keys[event.key]?.()) event.preventDefault();
  });
  const keySwitch = document.querySelector("[data-keys-switch]");
  if (keySwitch) {
    keySwitch.checked = keysOn();
    keySwitch.addEventListener("change", () => {
      try { localStorage.setItem("keys", keySwitch.checked ? "on" : "off"); } catch { /* not kept */ }
    });
  }
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open-dialog]");
    if (opener) { closeMenus(); document.getElementById(opener.dataset.openDialog)?.showModal(); }
    if (event.target.matches?.("dialog")) event.target.close();
  });

  /* Copying: data-copy names the element whose text is wanted. */
  const copyText = async (text, source) => {
    if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
    getSelection().selectAllChildren(source);
    if (!document.execCommand("copy")) throw new Error("copy refused");
    return undefined;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    try {
      await copyText((source.value ?? source.innerText).trim(), source);
      button.classList.add("copied");
      const label = button.querySelector("[data-copy-label]");
      const before = label?.textContent;
      if (label) label.textContent = button.dataset.copied;
      announce(button.dataset.copied);
      setTimeout(() => { button.classList.remove("copied"); if (label) label.textContent = before; }, 2000);
    } catch {
      getSelection().selectAllChildren(source);
    }
  });

  /* Toasts: those that only tell go by themselves, unless the pointer or the focus rests on them. */
  const fade = (toast) => {
    const later = () => setTimeout(() => {
      if (toast.matches(":hover, :focus-within")) later(); else toast.remove();
    }, 8000);
    if (toast.dataset.tone === "good" || toast.dataset.tone === "brand") later();
  };
  all(".toast-note").forEach(fade);
  document.addEventListener("click", (event) => event.target.closest?.("[data-dismiss]")?.closest(".toast-note, .notice")?.remove());
  const toastFrom = (id) => {
    const template = document.getElementById(id);
    const place = document.getElementById("toasts");
    if (!template || !place || place.querySelector(`[data-from="${id}"]`)) return;
    const toast = template.content.firstElementChild.cloneNode(true);
    toast.dataset.from = id; /* what fails every second is said once */
    place.append(toast);
    fade(toast);
  };

  /* htmx: the token with every write, no foreign page inside a list, a word when the server is away. */
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") {
      event.detail.headers["X-CSRFToken"] = document.querySelector("meta[name=csrf-token]")?.content ?? "";
    }
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo } = event.detail;
    if (!xhr.responseURL) return;
    const asked = new URL(pathInfo.finalRequestPath ?? pathInfo.requestPath, location.href).pathname;
    if (new URL(xhr.responseURL).pathname !== asked) {
      event.detail.shouldSwap = false; /* redirected, most likely to the sign-in page */
      location.reload();
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const words = document.querySelector("[data-announce]")?.dataset.announce;
    if (words) announce(words);
    all(".toast-note", event.target).forEach(fade);
  });
  /* Links beside a list that mean what it shows now. */
  document.addEventListener("htmx:pushedIntoHistory", () => {
    for (const link of all("[data-same-filter]")) link.search = location.search;
  });
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => toastFrom("toast-unreachable"));
  }

  /* Notices of plugins: asked for again while somebody looks at the page, unless their menu is in use. */
  const notices = document.querySelector("[data-notices]");
  if (notices) {
    const inUse = () => notices.querySelector("details[open]") || notices.contains(document.activeElement);
    const ask = async () => {
      if (!document.hidden && !inUse()) {
        try {
          const answer = await fetch(notices.dataset.notices, {
            headers: { Accept: "text/html" }, redirect: "manual", signal: AbortSignal.timeout(20_000),
          });
          if (answer.type === "opaqueredirect") return; /* signed out */
          const html = answer.ok ? await answer.text() : "";
          if (answer.ok && !inUse()) notices.innerHTML = html;
        } catch { /* the server is away, or slow */ }
      }
      setTimeout(ask, notices.dataset.every * 1000);
    };
    setTimeout(ask, notices.dataset.every * 1000);
  }

  /* The tab of this page may lie outside a narrow window. */
  document.querySelector('.tabs a[aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "center" });

  /* The rail is a popover on a phone: following one of its links must not leave it open on Back. */
  addEventListener("pageshow", () => {
    const rail = document.getElementById("rail");
    if (rail?.matches?.(":popover-open")) rail.hidePopover();
  });
})();
