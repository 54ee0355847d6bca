// Sorting, and opening what an address asks for. Without this script tables stand in the order of the report.
"use strict";

function makeSortable(table) {
  const headers = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const order = new Map([...table.tBodies[0].rows].map((row, place) => [row, place]));

  function sort(column, kind, sign) {
    const key = (row) => row.cells[column].dataset.key ?? "";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      const [first, second] = [key(a), key(b)];
      if (first === "" || second === "") return (first === "") - (second === "") || order.get(a) - order.get(b);
      const found = kind === "number" ? first - second : first.localeCompare(second, "en", { numeric: true });
      return sign * found || order.get(a) - order.get(b);
    });
    table.tBodies[0].append(...rows);
  }

  headers.forEach((header, column) => {
    const kind = header.dataset.sort;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const first = kind === "text" ? "ascending" : "descending";
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = header.getAttribute("aria-sort") === first ? other : first;
      headers.forEach((each) => each.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", direction);
      sort(column, kind, direction === "ascending" ? 1 : -1);
    });
  });
}

// What an address asks for is opened, with everything around it.
function follow() {
  const wanted = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  for (let part = wanted; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  wanted?.scrollIntoView();
}

document.querySelectorAll("[data-sortable]").forEach(makeSortable);
addEventListener("hashchange", follow);
follow();
