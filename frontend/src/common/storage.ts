import { type UseStorageOptions, useStorage } from '@vueuse/core'
import type { Ref } from 'vue'

/**
 * Return a value that this browser remembers, where it lets pages remember anything: a full or forbidden storage
 * costs no more than the memory. `parse` gets what was stored and returns undefined for what is not ours.
 */
export function remembered<T>(
  key: string,
  initial: T,
  parse: (stored: unknown) => T | undefined,
  options: UseStorageOptions<T> = {},
): Ref<T> {
  return useStorage<T>(`hamlet.${key}`, initial, undefined, {
    writeDefaults: false,
    onError: () => undefined,
    serializer: { read: (text) => parse(JSON.parse(text)) ?? initial, write: (value) => JSON.stringify(value) },
    ...options,
  })
}

/** Return a stored yes or no, undefined for anything else; for `remembered`. */
export function asFlag(stored: unknown): boolean | undefined {
  return typeof stored === 'boolean' ? stored : undefined
}
