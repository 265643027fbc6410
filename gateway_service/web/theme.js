// Light or dark: what the system prefers, or the other where a person has switched. Runs before anything is shown.

(() => {
  const KEPT = "obscura-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = localStorage.getItem(KEPT);
  if (chosen !== null) root.dataset["theme"] = chosen;
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || event.target.closest("#theme") === null) return;
    const preferred = system.matches ? "dark" : "light";
    const theme = (root.dataset["theme"] ?? preferred) === "dark" ? "light" : "dark";
    root.dataset["theme"] = theme;
    // The system's own is nothing to be kept: it may change.
    if (theme === preferred) localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, theme);
  });
})();
