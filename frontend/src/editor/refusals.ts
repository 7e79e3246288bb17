import { computed, shallowReactive } from 'vue'

/** A number that was typed and is not allowed. */
export interface Refusal {
  /** What was typed. */
  text: string
  /** Of which field, in words. */
  label: string
  /** Which numbers are allowed, in words. */
  allowed: string
  /** The place that it was typed for; null for a field of the whole world. */
  place: string | null
}

/** Hold what was typed into fields and refused, by the paths of the fields, until it is corrected or undone. */
export function useRefusals() {
  const refused = shallowReactive(new Map<string, Refusal>())

  function note(field: string, refusal: Refusal | null): void {
    refused.delete(field)
    if (refusal !== null) refused.set(field, refusal)
  }

  /** Forget the last one; returns whether there was one. */
  function undo(): boolean {
    const last = [...refused.keys()].at(-1)
    return last !== undefined && refused.delete(last)
  }

  /** Forget what was typed into fields that are shown no more. */
  function keep(isThere: (field: string, refusal: Refusal) => boolean): void {
    for (const [field, refusal] of refused) if (!isThere(field, refusal)) refused.delete(field)
  }

  /** The one that has stood longest, with the path of its field. */
  const first = computed(() => {
    for (const [field, refusal] of refused) return { field, ...refusal }
    return null
  })
  return { note, undo, keep, clear: () => { refused.clear() }, textOf: (field: string) => refused.get(field)?.text ?? null, first }
}
