// Sorting, filtering and hiding columns. The view is kept in the address (#view=...), so that it can be sent to somebody.
"use strict";
(() => {
  const state = { sort: "", down: false, filter: "", hidden: new Set() };
  const tables = [...document.querySelectorAll("table[data-table]")];
  const order = new Map(tables.map((table) => [table, [...table.tBodies[0].rows]]));

  function value(row, key) {
    const cell = row.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const text = cell ? cell.dataset.value : "";
    const number = Number(text);
    return text === "" ? null : Number.isNaN(number) ? text : number;
  }

  function compare(a, b) {
    if (a === null || b === null) return (a === null) - (b === null); // what is not known comes last, either way
    const result = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return state.down ? -result : result;
  }

  function show() {
    for (const table of tables) {
      const body = table.tBodies[0];
      let rows = [...order.get(table)];
      if (state.sort) rows.sort((one, other) => compare(value(one, state.sort), value(other, state.sort)));
      let count = 0;
      for (const row of rows) {
        const name = row.querySelector('[data-key="arm"]').textContent.toLowerCase();
        row.hidden = !name.includes(state.filter.toLowerCase());
        count += !row.hidden;
        body.append(row);
      }
      for (const cell of table.querySelectorAll("[data-key]")) cell.hidden = state.hidden.has(cell.dataset.key);
      for (const head of table.tHead.rows[0].cells) {
        const sorted = head.dataset.key === state.sort;
        if (sorted) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      }
      const status = table.closest("section").querySelector(".status");
      status.textContent = state.filter ? `${count} of ${rows.length} arms are shown.` : "";
    }
    for (const input of document.querySelectorAll("[data-filter]")) if (input.value !== state.filter) input.value = state.filter;
    for (const box of document.querySelectorAll("[data-column]")) box.checked = !state.hidden.has(box.dataset.column);
  }

  function keep() {
    const parts = new URLSearchParams();
    if (state.sort) parts.set("sort", (state.down ? "-" : "") + state.sort);
    if (state.filter) parts.set("filter", state.filter);
    if (state.hidden.size) parts.set("hide", [...state.hidden].join(","));
    const view = parts.toString();
    try { history.replaceState(null, "", view ? `#view&${view}` : location.pathname + location.search); } catch { /* a page that may not change its address */ }
    show();
  }

  function restore() {
    if (!location.hash.startsWith("#view&")) return;
    const parts = new URLSearchParams(location.hash.slice(6));
    const sort = parts.get("sort") || "";
    state.down = sort.startsWith("-");
    state.sort = sort.replace(/^-/, "");
    state.filter = parts.get("filter") || "";
    state.hidden = new Set((parts.get("hide") || "").split(",").filter(Boolean));
  }

  for (const tools of document.querySelectorAll(".tools")) tools.hidden = false;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sort]");
    if (!button) return;
    const key = button.dataset.sort;
    if (state.sort !== key) { state.sort = key; state.down = false; } else if (!state.down) state.down = true; else { state.sort = ""; state.down = false; }
    keep();
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) { state.filter = event.target.value; keep(); }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-column]")) return;
    const key = event.target.dataset.column;
    if (event.target.checked) state.hidden.delete(key); else state.hidden.add(key);
    keep();
  });
  window.addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
  window.addEventListener("hashchange", () => { restore(); show(); });
  restore();
  show();
})();
