"use strict";
// What a report can do beyond being read: tables are sorted by a column, figures are saved as SVG. Everything is there
// without it.
{
  // The number that a cell shows first, in seconds if it is a duration; null where it shows none.
  const number = (text) => {
    const duration = text.match(/^(?:(\d+) h)? ?(?:(\d+) min)? ?(?:(\d+) s)?$/);
    if (duration && text) {
      const [hours, minutes, seconds] = duration.slice(1).map((part) => Number(part ?? 0));
      return 3600 * hours + 60 * minutes + seconds;
    }
    const plain = text.replaceAll("−", "-").replaceAll(",", "").replace("∞", "Infinity");
    const match = plain.match(/^[-+]?(?:Infinity|\d+(?:\.\d+)?)/);
    return match ? Number(match[0]) : null;
  };

  const shown = (row, column) => {
    const cell = row.cells[column].cloneNode(true);
    cell.querySelectorAll("small").forEach((detail) => detail.remove());
    return cell.textContent.trim();
  };

  const sort = (table, column, sign, numeric) => {
    const [body] = table.tBodies;
    const rows = [...body.rows].map((row) => ({ row, text: shown(row, column) }));
    rows.sort((one, other) => {
      if (!numeric) return sign * one.text.localeCompare(other.text, undefined, { numeric: true });
      const [a, b] = [number(one.text), number(other.text)];
      if (a === null || b === null) return (a === null) - (b === null); // without a number: last, either way
      return sign * (a === b ? 0 : a < b ? -1 : 1);
    });
    body.append(...rows.map(({ row }) => row));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort";
      const detail = head.querySelector("small");
      button.append(...[...head.childNodes].filter((node) => node !== detail));
      head.prepend(button);
      button.addEventListener("click", () => {
        // The largest number first, the first name first; a second click is the other way round.
        const numeric = head.classList.contains("number");
        const first = numeric ? "descending" : "ascending";
        const second = first === "descending" ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? second : first;
        sort(table, column, order === "ascending" ? 1 : -1, numeric);
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
      });
    });
  }

  // An SVG on its own has no page to take its colors from, so they are written into it, as they are now.
  const standing = (svg) => {
    const style = getComputedStyle(document.documentElement);
    const text = new XMLSerializer().serializeToString(svg);
    return text.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  };

  for (const files of document.querySelectorAll(".files")) {
    const svg = files.parentElement.querySelector("svg");
    if (!svg) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Save as SVG";
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.download = `${files.dataset.name}.svg`;
      link.href = URL.createObjectURL(new Blob([standing(svg)], { type: "image/svg+xml" }));
      link.click();
      URL.revokeObjectURL(link.href);
    });
    files.append(button);
  }
}
