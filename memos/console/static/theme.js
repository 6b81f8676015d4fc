// Before anything is painted: light, dark, or as the system says. The choice is this browser's.
"use strict";
(() => {
  const NAMES = ["system", "light", "dark"];
  const stored = () => {
    try { return localStorage.getItem("memos.theme"); } catch { return null; }
  };
  const apply = (name) => {
    const root = document.documentElement;
    if (name === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", name);
    for (const label of document.querySelectorAll("[data-theme-name]")) label.textContent = name;
    document.dispatchEvent(new CustomEvent("memos:theme"));
  };
  const current = () => (NAMES.includes(stored()) ? stored() : "system");
  window.memosTheme = {
    show: () => apply(current()),
    next: () => {
      const name = NAMES[(NAMES.indexOf(current()) + 1) % NAMES.length];
      try { localStorage.setItem("memos.theme", name); } catch { /* it holds for this page */ }
      apply(name);
    },
  };
  apply(current());
})();
