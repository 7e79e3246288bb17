import { useEventListener } from '@vueuse/core'

import { useActive } from '@/common/active'
import { usePreferences } from '@/common/preferences'

export type Shortcuts = Readonly<Record<string, () => void>>

/** Elements that use some of these keys themselves. */
const OWN_KEYS = 'input, select, textarea, button, a, summary, [contenteditable], [role="slider"]'

/** A button that has the focus, but not the space bar. */
let freed: WeakRef<Element> | null = null

/**
 * Leave the space bar to the view while the focus stays where it is: whoever escaped from a dialog means the world by
 * it, not the button that opened the dialog. Return presses that, and so does space once the focus was elsewhere.
 */
export function freeSpace(): void {
  const button = document.activeElement
  if (button === null || !button.matches('button')) return
  freed = new WeakRef(button)
  button.addEventListener('blur', () => { freed = null }, { once: true })
}

/** Return whether the focused element, or an open dialog, uses the key itself. */
function isTaken(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return true
  if (document.querySelector('dialog[open]') !== null) return true
  const target = event.target instanceof Element ? event.target : null
  if (target === null || !target.matches(OWN_KEYS)) return false
  if (event.key === ' ' && target === freed?.deref()) return false
  // A button uses space and return alone; letters and arrows are free there.
  const pressable = target.matches('button, a, summary')
  return !pressable || event.key === ' ' || event.key === 'Enter'
}

/** Take the focus from a button that was clicked, so that the space bar plays, or uses a place, as before. */
function releaseFocus(event: MouseEvent): void {
  const focused = document.activeElement
  // A click without a pointer came from a key, and a person who uses keys needs to keep their place.
  if (event.detail > 0 && focused?.matches('button:not(dialog *)')) (focused as HTMLElement).blur()
}

/**
 * Bind single-key shortcuts while the component is on screen. `always` are those that the view itself
 * is operated with; the others can be switched off.
 */
export function useShortcuts(keys: Shortcuts, always: Shortcuts = {}): void {
  const preferences = usePreferences()
  const active = useActive()

  useEventListener(window, 'keydown', (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    const action = always[key] ?? (preferences.shortcuts ? keys[key] : undefined)
    if (!active.value || action === undefined || isTaken(event)) return
    event.preventDefault()
    action()
  })
  // Before the click opens a dialog, which gives the focus back to whatever had it.
  useEventListener(window, 'click', releaseFocus, { capture: true })
}
