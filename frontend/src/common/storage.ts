import { type Ref, ref, watch } from 'vue'

/** A value that this browser remembers, where it lets pages remember anything. */
export function stored<T>(key: string, initial: T, valid: (value: unknown) => value is T): Ref<T> {
  const value = ref(read(key, initial, valid)) as Ref<T>
  watch(value, (now) => { write(key, now) }, { deep: true })
  return value
}

export function read<T>(key: string, initial: T, valid: (value: unknown) => value is T): T {
  try {
    const text = localStorage.getItem(`hamlet.${key}`)
    if (text === null) return initial
    const value: unknown = JSON.parse(text)
    return valid(value) ? value : initial
  } catch {
    // Forbidden storage or a text that is not ours: as if nothing was stored.
    return initial
  }
}

export function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(`hamlet.${key}`, JSON.stringify(value))
  } catch {
    // A full or forbidden storage costs the memory of this visit, nothing else.
  }
}
