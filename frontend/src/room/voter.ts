const KEY = 'hamlet.voter'
const BYTES = 16

/** Return a random text of this tab's own, the same after a reload where the browser remembers anything. */
export function ownVoter(): string {
  try {
    const kept = sessionStorage.getItem(KEY)
    if (kept !== null && /^[0-9a-f]{32}$/.test(kept)) return kept
  } catch {
    // Forbidden: it lasts as long as the page.
  }
  // `randomUUID` is missing on pages without HTTPS.
  const voter = [...crypto.getRandomValues(new Uint8Array(BYTES))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  try {
    sessionStorage.setItem(KEY, voter)
  } catch {
    // As above.
  }
  return voter
}
