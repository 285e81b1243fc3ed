/* Runs before the first paint, hence small and blocking: the person's choice of light or dark, kept in
   this browser only. No choice means: as the system has it (CSS does that by itself). */
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const read = () => {
    try { return localStorage.getItem("theme") ?? "auto"; } catch { return "auto"; }
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.bsTheme = theme;
    else delete root.dataset.bsTheme;
  };
  const mark = () => {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === read()));
    }
  };
  apply(read());
  document.addEventListener("DOMContentLoaded", mark);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-choice]");
    if (!button) return;
    try { localStorage.setItem("theme", button.dataset.themeChoice); } catch { /* private window: for this page only */ }
    apply(button.dataset.themeChoice);
    mark();
  });
  addEventListener("storage", (event) => { if (event.key === "theme") { apply(read()); mark(); } });
})();
