import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'

import { remembered } from '@/common/storage'
import { type LanguageCode, isLanguage, loadTexts, localeOf, preferredLanguage } from '@/language/languages'
import { speak } from '@/language/text'

/** The language of the page: the browser's, until the reader chooses one, which this browser remembers. */
export const useLanguage = defineStore('language', () => {
  const chosen = remembered<LanguageCode | null>('language', null, (stored) => (isLanguage(stored) ? stored : undefined))
  const wanted = computed(() => chosen.value ?? preferredLanguage(navigator.languages))
  const spoken = ref<LanguageCode>('en')
  /** Whether there are texts to show. */
  const ready = ref(false)

  /** Load the texts of the wanted language and show them. Where they cannot be loaded, the page stays as it is. */
  async function apply(): Promise<void> {
    const language = wanted.value
    try {
      const catalogue = await loadTexts(language)
      if (language !== wanted.value) return
      speak(language, catalogue, localeOf(language, navigator.languages))
      spoken.value = language
      ready.value = true
    } catch {
      // The server is away; the connection's own notice says so.
    }
    document.documentElement.lang = spoken.value
  }

  function choose(language: LanguageCode): void {
    chosen.value = language
  }

  watch(wanted, () => { void apply() })

  return { spoken, ready, apply, choose }
})
