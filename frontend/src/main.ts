import '@/styles/tokens.css'
import '@/styles/base.css'

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from '@/App.vue'
import { useAccess } from '@/access/access'
import { useLanguage } from '@/language/store'

const app = createApp(App).use(createPinia())
// Asked at once, beside the texts: before the answer no view knows whether it may connect.
void useAccess().refresh()
// The first words are already in the reader's language, so that nothing moves.
const language = useLanguage()
void language.apply().then(() => {
  if (language.ready) app.mount('#app')
  else document.getElementById('wordless')?.removeAttribute('hidden')
})
