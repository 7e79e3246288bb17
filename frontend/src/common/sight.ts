import { type Ref, type ShallowRef, onBeforeUnmount, shallowRef, watch } from 'vue'

/** Return whether an element is within the window: what nobody sees need not be drawn. True until the browser has told. */
export function useSight(element: Readonly<Ref<HTMLElement | null>>): ShallowRef<boolean> {
  const seen = shallowRef(true)
  const observer = new IntersectionObserver((entries) => { seen.value = entries.at(-1)?.isIntersecting ?? true })
  watch(element, (now, before) => {
    if (before) observer.unobserve(before)
    if (now) observer.observe(now)
  }, { immediate: true, flush: 'post' })
  onBeforeUnmount(() => { observer.disconnect() })
  return seen
}
