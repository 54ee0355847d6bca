// Tabs and sorting. Without this script every panel is shown, and tables stand in the order of the report.
"use strict";

function makeTabs(list) {
  const tabs = [...list.querySelectorAll("a")];
  const panels = tabs.map((tab) => document.getElementById(tab.hash.slice(1)));

  function select(place, focus) {
    tabs.forEach((tab, each) => {
      tab.setAttribute("aria-selected", String(each === place));
      tab.tabIndex = each === place ? 0 : -1;
      panels[each].hidden = each !== place;
    });
    if (focus) tabs[place].focus();
  }

  list.setAttribute("role", "tablist");
  tabs.forEach((tab, place) => {
    tab.id = `tab-${panels[place].id}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panels[place].id);
    panels[place].setAttribute("role", "tabpanel");
    panels[place].setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      select(place, false);
      history.replaceState(null, "", tab.hash);
    });
    tab.addEventListener("keydown", (event) => {
      const next = {
        ArrowRight: (place + 1) % tabs.length,
        ArrowLeft: (place + tabs.length - 1) % tabs.length,
        Home: 0,
        End: tabs.length - 1,
        " ": place,
      }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      select(next, true);
      history.replaceState(null, "", tabs[next].hash);
    });
  });

  // The panel that an address asks for, or that holds what it asks for.
  function follow() {
    const wanted = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    const place = panels.findIndex((panel) => wanted !== null && panel.contains(wanted));
    if (place >= 0) select(place, false);
  }
  select(0, false);
  follow();
  addEventListener("hashchange", follow);
}

function makeSortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  const order = new Map([...table.rows].map((row, place) => [row, place]));

  function sort(column, kind, sign) {
    const key = (row) => row.cells[column].dataset.key ?? "";
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("section"));
      rows.sort((a, b) => {
        const [first, second] = [key(a), key(b)];
        if (first === "" || second === "") return (first === "") - (second === "") || order.get(a) - order.get(b);
        const found = kind === "number" ? first - second : first.localeCompare(second, "en", { numeric: true });
        return sign * found || order.get(a) - order.get(b);
      });
      body.append(...rows);
    }
  }

  headers.forEach((header, column) => {
    const kind = header.dataset.sort;
    if (!kind) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const first = kind === "text" || column === 0 ? "ascending" : "descending";
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = header.getAttribute("aria-sort") === first ? other : first;
      headers.forEach((each) => each.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", direction);
      sort(column, kind, direction === "ascending" ? 1 : -1);
    });
  });
}

document.querySelectorAll("[data-tabs]").forEach(makeTabs);
document.querySelectorAll("table.ranking").forEach(makeSortable);
