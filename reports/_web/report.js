"use strict";
(() => {
  const value = (row, column) => {
    const cell = row.cells[column];
    const order = cell.dataset.order;
    return order === undefined ? cell.textContent.trim() : Number(order);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // A list per column that offers one, and words to search for.
  for (const filter of document.querySelectorAll(".filter")) {
    const table = filter.parentElement.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const output = filter.querySelector("output");
    const input = filter.querySelector("input");
    const lists = [];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.dataset.facet === undefined) return;
      const values = [...new Set(rows.map((row) => row.cells[column].textContent))].sort(
        (a, b) => a.localeCompare(b, "en", { numeric: true }));
      if (values.length < 2) return;
      const label = document.createElement("label");
      const list = document.createElement("select");
      list.append(new Option("all", ""), ...values.map((text) => new Option(text, text)));
      label.append(`${head.textContent} `, list);
      filter.insertBefore(label, filter.firstChild);
      lists.push({ column, list });
      list.addEventListener("change", () => apply());
    });
    lists.forEach(({ list }) => filter.insertBefore(list.parentElement, input.parentElement));
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !words.every((word) => texts[index].includes(word)) ||
          lists.some(({ column, list }) =>
            list.value && row.cells[column].textContent !== list.value);
        shown += row.hidden ? 0 : 1;
      });
      output.textContent = `${shown} of ${rows.length} rows`;
    };
    filter.hidden = false;
    input.addEventListener("input", apply);
    apply();
  }

  // One actor alone, and numbers without their intervals; paper always shows everything.
  const view = document.querySelector(".view");
  const actor = document.getElementById("view-actor");
  const told = view.querySelector("output");
  view.hidden = false;
  document.getElementById("view-range").addEventListener("change", (event) => {
    document.documentElement.classList.toggle("no-range", !event.target.checked);
  });
  if (actor) {
    actor.addEventListener("change", () => {
      for (const part of document.querySelectorAll("[data-actor]")) {
        part.classList.toggle("left-out", actor.value !== "" && part.dataset.actor !== actor.value);
      }
      told.textContent = actor.value ? "Other actors are hidden in sections 1 and 7." : "";
    });
  }

  // The value under the pointer, at once; without this the browser shows it after a while.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  document.addEventListener("pointerover", (event) => {
    const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
    tip.classList.toggle("shown", Boolean(mark));
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const box = mark.getBoundingClientRect();
    const left = Math.min(box.left + box.width / 2, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${box.top + scrollY - tip.offsetHeight - 6}px`;
  });
  for (const title of document.querySelectorAll("svg title")) {
    title.parentElement.dataset.tip = title.textContent;
    title.remove();
  }

  // Only what really scrolls is a stop for the tab key.
  const stops = [...document.querySelectorAll(".scroll, .drawing")];
  const settle = () => {
    const moves = stops.map((stop) =>
      stop.scrollWidth > stop.clientWidth + 1 || stop.scrollHeight > stop.clientHeight + 1);
    stops.forEach((stop, index) => {
      if (moves[index]) stop.setAttribute("tabindex", "0");
      else stop.removeAttribute("tabindex");
    });
  };
  settle();
  addEventListener("resize", settle);
})();
