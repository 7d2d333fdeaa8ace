// Tables that can be sorted by a click or the keyboard, and filtered. Without the script they stand there whole.
(() => {
  const numbers = /^-?[\d.,]+(e[+-]?\d+)?$/i;

  const keyOf = (row, place) => {
    const cell = row.cells[place];
    const text = (cell.dataset.value ?? cell.textContent).trim();
    return numbers.test(text) ? Number(text.replaceAll(",", "")) : text === "–" ? "" : text.toLowerCase();
  };

  // Numbers before words; what is empty comes last whichever way.
  const compare = (a, b, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
  };

  const sort = (table, heading) => {
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    const place = heading.cellIndex;
    const rows = [...table.tBodies[0].rows].map(row => [keyOf(row, place), row]);
    rows.sort(([a], [b]) => compare(a, b, ascending ? 1 : -1));
    table.tBodies[0].append(...rows.map(([, row]) => row));
    for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  };

  for (const heading of document.querySelectorAll("th[data-sortable]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(heading.closest("table"), heading));
    heading.append(button);
  }

  for (const form of document.querySelectorAll("form[data-table]")) {
    const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows];
    const texts = new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
    const status = form.querySelector("[role=status]");
    const filter = () => {
      const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = [...form.querySelectorAll("select")].filter(select => select.value);
      for (const row of rows) {
        row.hidden = !(words.every(word => texts.get(row).includes(word)) && chosen.every(select => row.dataset[select.name] === select.value));
      }
      status.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} ${status.dataset.noun}`;
    };
    form.hidden = false;
    // The form stays under the hand that types, where a link to a row has scrolled and rows vanish.
    form.addEventListener("input", () => {
      const { top } = form.getBoundingClientRect();
      filter();
      requestAnimationFrame(() => scrollBy(0, form.getBoundingClientRect().top - top));
    });
    form.addEventListener("reset", () => setTimeout(filter));
    form.addEventListener("submit", event => event.preventDefault());
    filter();
    // A link to a row that the filter hides shows it.
    addEventListener("hashchange", () => {
      if (document.getElementById(decodeURIComponent(location.hash.slice(1)))?.hidden) form.reset();
    });
  }
})();
