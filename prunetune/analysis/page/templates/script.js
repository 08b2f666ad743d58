"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("js");

  // Switches: controls named alike move together, and every panel knows the state it belongs to.
  const state = {};
  const controls = all("[data-switch]");
  const value = (control) => control.value;
  const apply = () => {
    for (const control of controls) {
      const chosen = state[control.dataset.switch];
      if (control.type === "radio") control.checked = control.value === chosen;
      else control.value = chosen;
    }
    for (const panel of all("[data-when]")) {
      const conditions = panel.dataset.when.split(" ").map((one) => one.split("="));
      panel.hidden = !conditions.every(([name, wanted]) => state[name] === wanted);
    }
  };
  for (const control of controls) {
    const name = control.dataset.switch;
    if (control.type !== "radio" || control.defaultChecked) state[name] ??= value(control);
    control.addEventListener("change", () => {
      if (control.type === "radio" && !control.checked) return;
      state[name] = value(control);
      apply();
    });
  }
  apply();

  // What a mark says, on hover and on focus.
  const tip = document.getElementById("tip");
  for (const title of all("svg title")) {
    const mark = title.parentElement;
    mark.dataset.tip = title.textContent;
    mark.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  const hide = () => { tip.hidden = true; };
  const show = (event) => {
    const mark = event.target.closest?.("[data-tip]");
    if (!mark) return hide();
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = mark.getBoundingClientRect(), room = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.right + 10), root.clientWidth - room.width - 8);
    const below = box.bottom + 10 + room.height < window.innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? box.bottom + 10 : Math.max(8, box.top - room.height - 10)}px`;
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // A link into a folded section unfolds it; print shows everything.
  const unfold = () => {
    const target = document.getElementById(location.hash.slice(1));
    for (let box = target; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
    target?.scrollIntoView();
  };
  window.addEventListener("hashchange", unfold);
  if (location.hash) unfold();
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = all("details:not([open]):not(.point-entry)").filter((box) => !box.closest(".findings"));
    for (const box of folded) box.open = true;
  });
  window.addEventListener("afterprint", () => { for (const box of folded) box.open = false; });
  for (const button of all("[data-unfold]")) {
    button.addEventListener("click", () => {
      const boxes = all("details.section"), open = boxes.some((box) => !box.open);
      for (const box of boxes) box.open = open;
    });
  }
})();
