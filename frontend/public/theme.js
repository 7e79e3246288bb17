// Before the first paint: the theme that was chosen here last, so that nothing flashes.
try {
  const chosen = localStorage.getItem('hamlet.theme')
  if (chosen === '"light"' || chosen === '"dark"') {
    document.documentElement.dataset.theme = JSON.parse(chosen)
  }
} catch {
  // Storage may be forbidden; the system's own preference then decides.
}
