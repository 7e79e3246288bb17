import { type ShallowRef, onActivated, onDeactivated, shallowRef } from 'vue'

/** Return whether the view that the component belongs to is on screen: hidden views are kept alive. */
export function useActive(): Readonly<ShallowRef<boolean>> {
  const active = shallowRef(true)
  onActivated(() => { active.value = true })
  onDeactivated(() => { active.value = false })
  return active
}
