/* Selected rows of a list: kept over its pages and filters while the tab is open, shown in a bar that stays in
   sight. The server needs none of it: without, the boxes of one page are sent as they are. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const bar = () => document.querySelector("[data-selection]");
  const boxes = () => all("[data-select]");
  const place = (name) => `selection:${name}`;

  /* What is selected: values of boxes, and the filter under which everything is ("" is a filter, null is none). */
  const filterOf = (form) => {
    const given = new URLSearchParams(form.elements.namedItem("filter").value);
    given.delete("page");
    given.delete("sort");
    given.sort();
    return given.toString();
  };
  const load = (form) => {
    try {
      const { values = [], everything = null } = JSON.parse(sessionStorage.getItem(place(form.dataset.selection))) ?? {};
      return { values: new Set(values), everything: everything === filterOf(form) ? everything : null };
    } catch {
      return { values: new Set(), everything: null };
    }
  };
  const keep = (form, { values, everything }) => {
    try {
      sessionStorage.setItem(place(form.dataset.selection), JSON.stringify({ values: [...values], everything }));
    } catch { /* a private window: for this page only */ }
  };

  const words = (text, numbers) => text.replace(/%([nm])/g, (_match, letter) => numbers[letter].toLocaleString(document.documentElement.lang));
  const show = (form, { values, everything }) => {
    const here = boxes();
    for (const box of here) {
      box.checked = everything !== null || values.has(box.value);
      box.closest("tr").classList.toggle("selected", box.checked);
    }
    const ticked = here.filter((box) => box.checked).length;
    const page = document.querySelector("[data-select-page]");
    if (page) {
      page.checked = ticked > 0 && ticked === here.length;
      page.indeterminate = ticked > 0 && ticked < here.length;
    }
    const present = new Set(here.map((box) => box.value));
    const elsewhere = [...values].filter((value) => !present.has(value));
    form.querySelector("[data-kept]").value = elsewhere.join(" ");
    const toggle = form.querySelector("[data-select-all]");
    toggle.checked = everything !== null;
    const count = form.querySelector("[data-selected-count]");
    const { words: some, wordsElsewhere, wordsAll } = count.dataset;
    const text = everything !== null
      ? words(wordsAll, { n: Number(form.dataset.total) })
      : words(elsewhere.length ? wordsElsewhere : some, { n: values.size, m: elsewhere.length });
    if (count.textContent !== text) count.textContent = text;
    form.classList.toggle("active", everything !== null || values.size > 0);
  };
  const change = (alter) => {
    const form = bar();
    if (!form) return;
    const state = load(form);
    alter(state);
    keep(form, state);
    show(form, state);
    document.getElementById("announce").textContent = form.querySelector("[data-selected-count]").textContent;
  };
  const restore = () => { const form = bar(); if (form) show(form, load(form)); };

  const tick = (state, some, on) => {
    if (state.everything !== null) { /* a box less than everything: what is left of this page */
      state.everything = null;
      state.values = new Set(boxes().map((box) => box.value));
    }
    for (const box of some) if (on) state.values.add(box.value); else state.values.delete(box.value);
  };
  let last = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("[data-select]");
    if (box) {
      const here = boxes();
      const [from, to] = [here.indexOf(last), here.indexOf(box)].sort((one, other) => one - other);
      const some = event.shiftKey && from >= 0 ? here.slice(from, to + 1) : [box];
      last = box;
      change((state) => tick(state, some, box.checked));
    } else if (event.target.closest?.("[data-select-none]")) {
      change((state) => { state.values = new Set(); state.everything = null; });
    }
  });
  document.addEventListener("change", (event) => {
    const { target } = event;
    if (target.matches("[data-select-page]")) change((state) => tick(state, boxes(), target.checked));
    if (target.matches("[data-select-all]")) {
      change((state) => {
        state.values = new Set();
        state.everything = target.checked ? filterOf(bar()) : null;
      });
    }
  });

  /* The list was replaced (htmx settles attributes after the swap), or the page came back from the history. */
  for (const name of ["htmx:afterSwap", "htmx:afterSettle"]) {
    document.addEventListener(name, () => { last = null; restore(); });
  }
  addEventListener("pageshow", restore);
  const done = document.querySelector("[data-selection-done]");
  if (done) {
    try { sessionStorage.removeItem(place(done.dataset.selectionDone)); } catch { /* nothing was kept */ }
  }
  restore();
})();
