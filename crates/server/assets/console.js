// rescind's console: what pages do besides being pages. Everything works without it but for what is live.
"use strict";
(() => {
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";
  const live = document.querySelector("[data-live]");
  const say = (state, text) => {
    if (!live) return;
    live.dataset.state = state;
    live.textContent = text;
  };

  // Parts of a page that are fetched anew when the record has grown: <section data-part="/parts/holds">.
  const parts = [...document.querySelectorAll("[data-part]")];
  const pending = new Set();
  async function refresh(part) {
    if (pending.has(part)) {
      part.dataset.again = "1";
      return;
    }
    pending.add(part);
    try {
      const headers = { "x-part": "1" };
      if (part.dataset.tag) headers["if-none-match"] = part.dataset.tag;
      const answer = await fetch(part.dataset.part, { headers });
      if (answer.status === 401) return location.reload();
      if (answer.ok) {
        swap(part, await answer.text());
        part.dataset.tag = answer.headers.get("etag") ?? "";
      }
    } catch {
      /* The stream says that the server is away. */
    } finally {
      pending.delete(part);
      if (part.dataset.again) {
        delete part.dataset.again;
        setTimeout(() => refresh(part), 250);
      }
    }
  }

  // The same place keeps the focus, what is scrolled, what was written, and what was opened.
  function swap(part, html) {
    if (part.dataset.last === html) return;
    part.dataset.last = html;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const top = part.scrollTop;
    const written = [...part.querySelectorAll("input[id], textarea[id], select[id]")].map((own) => [own.id, own.value]);
    const opened = [...part.querySelectorAll("details[id][open]")].map((own) => own.id);
    part.innerHTML = html;
    part.scrollTop = top;
    for (const [id, value] of written) {
      const own = document.getElementById(id);
      if (own) own.value = value;
    }
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    const title = part.querySelector("[data-title]")?.dataset.title;
    if (title) document.title = `${title} · rescind`;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const count = part.querySelector("[data-count]");
    if (count) for (const badge of document.querySelectorAll(`[data-badge="${count.dataset.count}"]`)) {
      badge.textContent = count.dataset.value;
      badge.hidden = count.dataset.value === "0";
    }
    times(part);
  }

  if (live && window.EventSource) {
    let timer = 0;
    const due = () => {
      if (timer || document.hidden) return;
      timer = setTimeout(() => {
        timer = 0;
        for (const part of parts) refresh(part);
      }, 120);
    };
    const stream = new EventSource("/console/changes");
    stream.onopen = () => { say("on", "live"); due(); };
    stream.onerror = () => say("off", "no server");
    stream.addEventListener("changed", due);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) due(); });
  }

  // Times as the reader's clock has them; what stood there is the exact one.
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  function times(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-done])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.dataset.done = "1";
      time.title = time.dateTime;
      time.textContent = (time.dataset.long === undefined ? clock : day).format(at);
    }
    remaining(root);
  }
  function remaining(root) {
    for (const left of root.querySelectorAll("[data-until]")) {
      const seconds = Math.round((new Date(left.dataset.until) - Date.now()) / 1000);
      const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
      left.textContent = seconds <= 0 ? "its time is up"
        : parts[0] > 0 ? `${parts[0]} h ${parts[1]} min left`
        : parts[1] > 0 ? `${parts[1]} min left` : `${parts[2]} s left`;
    }
  }
  times(document);
  setInterval(() => remaining(document), 1000);

  // Dialogs: <button data-open="id">, closed by Escape and by buttons of value "close".
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.open);
      if (dialog?.showModal) {
        event.preventDefault();
        dialog.showModal();
      }
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  });

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) return event.preventDefault();
    if (form.method !== "get" && form.method !== "dialog") {
      form.dataset.sent = "1";
      for (const button of form.querySelectorAll("button:not([type=button])")) {
        if (button !== event.submitter) button.disabled = true;
      }
    }
    // What was left empty need not stand in the address.
    if (form.method === "get") for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) {
      delete form.dataset.sent;
      for (const field of form.elements) if (field.dataset.off === undefined) field.disabled = false;
    }
  });

  // An undo while it runs: <div data-progress="/undos/ID/progress" data-done="/undos/ID">.
  for (const box of document.querySelectorAll("[data-progress]")) {
    const stream = new EventSource(box.dataset.progress);
    const bar = box.querySelector("progress");
    const text = box.querySelector("[data-text]");
    stream.addEventListener("progress", (event) => {
      const { done, of, name } = JSON.parse(event.data);
      if (bar) { bar.max = Math.max(of, 1); bar.value = done; }
      if (text) text.textContent = `${done} of ${of}${name ? `: ${name}` : ""}`;
    });
    stream.addEventListener("done", () => { stream.close(); location.replace(box.dataset.done); });
  }

  // Keys: ? lists them; g then a letter goes somewhere; j and k move in lists; / searches.
  let leader = 0;
  const places = { n: "/", h: "/holds", s: "/sessions", a: "/actions", x: "/stop" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, textarea, select, dialog")) return;
    const now = Date.now();
    if (leader && now - leader < 1500 && places[event.key]) {
      leader = 0;
      location.assign(places[event.key]);
      return;
    }
    leader = event.key === "g" ? now : 0;
    if (event.key === "/") {
      const search = document.querySelector('input[type="search"]');
      if (search) { event.preventDefault(); search.focus(); }
    }
    if (event.key === "?") document.getElementById("keys")?.showModal?.();
    if (event.key === "j" || event.key === "k") {
      const links = [...document.querySelectorAll("main a.cmd, main a.what")];
      if (!links.length) return;
      const at = links.indexOf(document.activeElement);
      const next = event.key === "j" ? Math.min(at + 1, links.length - 1) : Math.max(at - 1, 0);
      links[next].focus();
    }
  });

  // Light, dark, or as the system has it.
  const themes = ["system", "light", "dark"];
  const shown = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const button = document.querySelector("[data-themes]");
    if (button) button.textContent = `theme: ${theme}`;
  };
  let theme = "system";
  try { theme = localStorage.getItem("theme") ?? "system"; } catch { /* private windows */ }
  shown(theme);
  document.querySelector("[data-themes]")?.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("theme", theme); } catch { /* only for this page then */ }
    shown(theme);
  });
  void csrf;
})();
