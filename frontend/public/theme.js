// Before the first paint: the theme that was chosen here last, so that nothing flashes.
try {
  const chosen = localStorage.getItem('hamlet.theme')
  if (chosen === '"light"' || chosen === '"dark"') {
    document.documentElement.dataset.theme = JSON.parse(chosen)
  }
} catch {
  // Storage may be forbidden; the system's own preference then decides.
}

// The reader's texts are loaded beside the page's script, not after it: those of the language that was chosen here
// last, or of the first one of the browser's that there is. The page itself decides again.
{
  let chosen = null
  try {
    chosen = JSON.parse(localStorage.getItem('hamlet.language'))
  } catch {
    // As above.
  }
  const wanted = [chosen, ...navigator.languages.map((tag) => tag.split('-')[0].toLowerCase()), 'en']
  const texts = wanted.map((language) => document.querySelector(`meta[name="texts-${language}"]`)).find(Boolean)
  if (texts) {
    const link = document.createElement('link')
    Object.assign(link, { rel: 'preload', as: 'fetch', crossOrigin: 'anonymous', href: texts.content })
    document.head.append(link)
  }
}
