// What a page does in the browser besides links and forms: copying ids, shortcuts, the theme, rows by keyboard.
"use strict";
(() => {
  const say = (words) => {
    const place = document.getElementById("said");
    if (place) place.textContent = words;
  };

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard of that kind.
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "visually-hidden";
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.classList.add("copied");
    say("Copied " + text);
    setTimeout(() => button.classList.remove("copied"), 1200);
  }

  const shortcuts = () => document.getElementById("shortcuts");
  function toggleShortcuts() {
    const dialog = shortcuts();
    if (!dialog) return;
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button, a");
    if (!target) return;
    if (target.dataset.copy) copy(target);
    else if ("themeSwitch" in target.dataset) window.memosTheme.next();
    else if ("shortcuts" in target.dataset) toggleShortcuts();
    else if ("back" in target.dataset && history.length > 1) {
      event.preventDefault();
      history.back();
    }
  });

  // A form that was sent is not sent again by a second click; the key in it makes a second one harmless anyway.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.dataset.stays !== undefined || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 5000);
  });

  const writing = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;
  let going = false;

  function step(by) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))];
    const link = next.querySelector("[data-open], a");
    if (link) {
      link.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && writing(event.target)) { event.target.blur(); return; }
    if (writing(event.target)) return;
    if (going) {
      going = false;
      const page = document.querySelector(`nav a[data-go="${CSS.escape(event.key)}"]`);
      if (page) { event.preventDefault(); page.click(); }
      return;
    }
    if (event.key === "?") { event.preventDefault(); toggleShortcuts(); return; }
    if (event.key === "g") { going = true; setTimeout(() => { going = false; }, 1200); return; }
    if (event.key === "l") { window.memosTheme.next(); return; }
    if (event.key === "j") { step(1); return; }
    if (event.key === "k") { step(-1); return; }
    if (event.key === "/") {
      const field = document.querySelector("main input:not([type=hidden]), main textarea");
      if (field) { event.preventDefault(); field.focus(); }
    }
  });

  // What would change by itself every few seconds does not while somebody has opened a part of it.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === "now" && event.target.querySelector("details[open]")) event.preventDefault();
  });

  window.memosTheme.show();
  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
})();
