import { onBeforeUnmount, onMounted } from 'vue'

import { usePreferences } from '@/common/preferences'

export type Shortcuts = Readonly<Record<string, () => void>>

/** Elements that have their own use for these keys. */
const OWN_KEYS = 'input, select, textarea, button, a, summary, [contenteditable], [role="slider"]'

/** Whether the key belongs to whatever has the focus: typing, choosing, pressing. */
function taken(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return true
  if (document.querySelector('dialog[open]') !== null) return true
  const target = event.target instanceof Element ? event.target : null
  if (target === null || !target.matches(OWN_KEYS)) return false
  // A button uses space and return alone; letters and arrows are free there.
  const pressable = target.matches('button, a, summary')
  return !pressable || event.key === ' ' || event.key === 'Enter'
}

/** A button pressed with a pointer does not keep the space bar: that plays, or uses a place, as before. */
function releaseFocus(event: MouseEvent): void {
  const focused = document.activeElement
  // Without a pointer the click came from a key, and whoever uses keys needs to know where they are.
  if (event.detail > 0 && focused?.matches('button:not(dialog *)')) (focused as HTMLElement).blur()
}

/**
 * Single-key shortcuts for as long as the component lives. `always` are those that the view itself
 * is operated with; the others can be switched off.
 */
export function useShortcuts(keys: Shortcuts, always: Shortcuts = {}): void {
  const preferences = usePreferences()

  function pressed(event: KeyboardEvent): void {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    const action = always[key] ?? (preferences.shortcuts ? keys[key] : undefined)
    if (action === undefined || taken(event)) return
    event.preventDefault()
    action()
  }

  onMounted(() => {
    window.addEventListener('keydown', pressed)
    window.addEventListener('click', releaseFocus)
  })
  onBeforeUnmount(() => {
    window.removeEventListener('keydown', pressed)
    window.removeEventListener('click', releaseFocus)
  })
}
