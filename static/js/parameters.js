/* Many parameters on one page: one tab at a time, a search over all of them, defaults put back into their controls.
   Without this the tabs stand one below the other, and a reset is sent with the form. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  for (const root of all("[data-parameters]")) {
    const links = all("[data-tab]", root);
    const panels = all("[data-tab-panel]", root);
    const lines = all("[data-parameter]", root);
    const search = root.querySelector("[data-parameter-search]");
    const none = root.querySelector("[data-parameter-none]");
    const folds = all(".parameter-unused", root);
    let current = panels[0];

    const show = (panel) => {
      current = panel;
      panels.forEach((one) => { one.hidden = one !== panel; });
      links.forEach((link) => {
        if (link.hash === `#${panel.id}`) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
      });
    };
    const named = () => panels.find((panel) => `#${panel.id}` === location.hash);
    const isRefused = (panel) => panel.querySelector("[aria-invalid=true], [role=alert]");

    const find = () => {
      const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      root.classList.toggle("searching", words.length > 0);
      for (const line of lines) {
        const text = `${line.dataset.parameter} ${line.textContent}`.toLowerCase();
        line.hidden = words.length > 0 && !words.every((word) => text.includes(word));
      }
      if (!words.length) {
        none.hidden = true;
        folds.forEach((fold) => { fold.open = fold.dataset.was === "open"; });
        show(current);
        return;
      }
      const isThere = (line) => !line.hidden && !line.querySelector(":scope > .field")?.hidden;
      panels.forEach((panel) => { panel.hidden = !all("[data-parameter]", panel).some(isThere); });
      folds.forEach((fold) => { fold.open = true; fold.hidden = !all("[data-parameter]", fold).some(isThere); });
      links.forEach((link) => link.removeAttribute("aria-current"));
      none.hidden = panels.some((panel) => !panel.hidden);
    };

    folds.forEach((fold) => {
      fold.addEventListener("toggle", () => { if (!root.classList.contains("searching")) fold.dataset.was = fold.open ? "open" : ""; });
      fold.dataset.was = fold.open ? "open" : "";
    });
    if (links.length) {
      root.classList.add("tabbed");
      show(panels.find(isRefused) ?? named() ?? panels[0]);
      links.forEach((link) => link.addEventListener("click", (event) => {
        event.preventDefault();
        history.replaceState(null, "", link.hash); /* saving comes back to it */
        if (search.value) { search.value = ""; find(); }
        folds.forEach((fold) => { fold.hidden = false; });
        show(named());
      }));
      addEventListener("hashchange", () => { if (named()) show(named()); });
      search.addEventListener("input", () => { folds.forEach((fold) => { fold.hidden = false; }); find(); });
      search.addEventListener("keydown", (event) => { if (event.key === "Escape" && search.value) { search.value = ""; find(); } });
    }

    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-default]");
      const control = button && root.querySelector("form").elements.namedItem(button.value);
      const value = button && JSON.parse(button.dataset.default);
      if (!control || Array.isArray(value)) return; /* the server does it */
      event.preventDefault();
      if (control instanceof RadioNodeList || typeof value !== "boolean") control.value = String(value); else control.checked = value;
      const field = button.closest("[data-parameter]").querySelector("input, select, textarea");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
      button.disabled = true; /* until something else is chosen */
      field.addEventListener("input", () => { button.disabled = false; }, { once: true });
    });
  }
  document.querySelector("main [aria-invalid=true]")?.focus();
})();
