/* The search everywhere: a dialog whose field drives a listbox. htmx fills the list while somebody types;
   without JavaScript the box at the top is a form that leads to a page with the same results. */
(() => {
  "use strict";
  const dialog = document.getElementById("find");
  if (!dialog) return;
  const field = dialog.querySelector("[data-find]");
  const results = document.getElementById("find-results");
  const status = dialog.querySelector("[data-find-status]");
  const options = () => [...results.querySelectorAll("[role=option]")];
  const chosen = () => results.querySelector("[aria-selected=true]");

  const choose = (option) => {
    options().forEach((one) => one.setAttribute("aria-selected", String(one === option)));
    if (option) {
      field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      field.removeAttribute("aria-activedescendant");
    }
  };
  const open = () => {
    if (dialog.open || document.querySelector("dialog[open]")) return;
    dialog.showModal();
    field.focus();
    field.select();
  };
  window.panelFind = open;

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-open-find]")) open();
    if (event.target.closest?.("[data-close-dialog]")) event.target.closest("dialog")?.close();
  });

  /* The list belongs to what was typed: until the answer is there, nothing of the old one can be opened. */
  field.addEventListener("input", () => {
    choose(null);
    results.classList.add("find-stale");
    if (!field.value.trim()) {
      results.replaceChildren();
      field.setAttribute("aria-expanded", "false");
      field.setAttribute("aria-controls", "find-results");
    }
  });
  results.addEventListener("htmx:afterSwap", () => {
    const list = results.querySelector("[role=listbox]");
    results.classList.remove("find-stale");
    field.setAttribute("aria-expanded", String(Boolean(list)));
    field.setAttribute("aria-controls", list ? list.id : "find-results");
    status.textContent = list?.dataset.found ?? "";
    choose(options()[0] ?? null);
  });

  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const all = options();
    const at = all.indexOf(chosen());
    if (event.key === "ArrowDown" && all.length) choose(all[(at + 1) % all.length]);
    else if (event.key === "ArrowUp" && all.length) choose(all.at(at < 1 ? all.length - 1 : at - 1));
    else if (event.key === "Enter" && at >= 0 && !results.classList.contains("find-stale")) {
      if (event.ctrlKey || event.metaKey) openTab(all[at].href);
      else all[at].click();
    } else return; /* Enter before the answer arrives sends the form */
    event.preventDefault();
  });
  const openTab = (address) => window.open(address, "_blank", "noopener");
  results.addEventListener("pointermove", (event) => {
    const option = event.target.closest?.("[role=option]");
    if (option && option !== chosen()) choose(option);
  });
  addEventListener("pageshow", () => { if (dialog.open) dialog.close(); });
})();
