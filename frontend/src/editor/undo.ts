import { type ShallowRef, computed, shallowRef } from 'vue'

const MOST = 200

/** Hold a value with the values before it. Changes of one kind in a row, such as a drag, are undone together. */
export function useUndo<T>(initial: T) {
  const value: ShallowRef<T> = shallowRef(initial)
  const past = shallowRef<readonly T[]>([])
  const future = shallowRef<readonly T[]>([])
  let lastKind: string | null = null

  /** Change the value; `kind` names what is changed, null for a change that is undone by itself. */
  function change(next: T, kind: string | null = null): void {
    if (next === value.value) return
    if (kind === null || kind !== lastKind) past.value = [...past.value, value.value].slice(-MOST)
    lastKind = kind
    future.value = []
    value.value = next
  }

  /** End a row of changes of one kind. */
  function settle(): void {
    lastKind = null
  }

  function undo(): void {
    const before = past.value.at(-1)
    if (before === undefined) return
    settle()
    past.value = past.value.slice(0, -1)
    future.value = [value.value, ...future.value]
    value.value = before
  }

  function redo(): void {
    const after = future.value[0]
    if (after === undefined) return
    settle()
    future.value = future.value.slice(1)
    past.value = [...past.value, value.value]
    value.value = after
  }

  /** Begin with another value, and those before it. */
  function restart(next: T, earlier: readonly T[] = []): void {
    settle()
    past.value = earlier
    future.value = []
    value.value = next
  }

  /** Change what is noted in values, the earlier and later ones too, without a step to undo. */
  function rewrite(noted: (one: T) => T): void {
    past.value = past.value.map(noted)
    future.value = future.value.map(noted)
    value.value = noted(value.value)
  }

  const canUndo = computed(() => past.value.length > 0)
  const canRedo = computed(() => future.value.length > 0)
  return { value, past, change, settle, undo, redo, restart, rewrite, canUndo, canRedo }
}
