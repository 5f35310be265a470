"use strict";
// Headings of tables become buttons that sort the rows: numbers by value, texts by alphabet, empty cells last.
(() => {
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const order = (cell) => ("sort" in cell.dataset ? Number(cell.dataset.sort) : null);
  const differ = (one, other, sign) => {
    const [a, b] = [order(one), order(other)];
    if (a !== null && b !== null) return sign * (a - b);
    if (a !== null || b !== null) return a === null ? 1 : -1;
    return sign * compare(one.textContent, other.textContent);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const up = heading.getAttribute("aria-sort") === "descending";
        headings.forEach((one) => one.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => differ(a.cells[column], b.cells[column], up ? 1 : -1));
        table.tBodies[0].append(...rows);
      });
    });
  }
  if (matchMedia("(max-width: 79.9rem)").matches) document.getElementById("contents").open = false;
})();
