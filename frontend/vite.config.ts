import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { type Plugin, defineConfig } from 'vite'

const SERVER = process.env.HAMLET_SERVER ?? 'http://127.0.0.1:8765'

/** Ask for the text face with the page itself, so that it is there at the first paint and nothing moves. */
function preloadTextFace(): Plugin {
  return {
    name: 'preload-text-face',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, context) {
        return Object.keys(context.bundle ?? {})
          .filter((name) => /next-latin-wght-normal.*\.woff2$/.test(name))
          .map((name) => ({
            tag: 'link',
            attrs: { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: true, href: `./${name}` },
            injectTo: 'head' as const,
          }))
      },
    },
  }
}

/** Return the languages of the page, and all texts of each as JSON. */
function readTexts(): Map<string, string> {
  const folder = fileURLToPath(new URL('./src/messages/', import.meta.url))
  const languages = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name)
  return new Map(languages.map((language) => {
    const files = readdirSync(folder + language).sort()
    const domains = files.map((file) => [basename(file, '.json'), JSON.parse(readFileSync(`${folder}${language}/${file}`, 'utf8')) as unknown])
    return [language, JSON.stringify(Object.fromEntries(domains))]
  }))
}

/**
 * Keep the texts of each language in a file of their own, so that a reader loads those of one language, as data. The
 * page names the files in `<meta name="texts-de">`, from which `theme.js` begins to load the right one at once.
 */
function textsByLanguage(): Plugin {
  let isBuilt = false
  const nameOf = (language: string, texts: string): string => (
    isBuilt ? `assets/${language}-${createHash('sha256').update(texts).digest('hex').slice(0, 8)}.json` : `texts/${language}.json`
  )
  return {
    name: 'texts-by-language',
    configResolved(config) { isBuilt = config.command === 'build' },
    generateBundle() {
      readTexts().forEach((source, language) => { this.emitFile({ type: 'asset', fileName: nameOf(language, source), source }) })
    },
    configureServer(server) {
      server.middlewares.use('/texts', (request, response) => {
        response.setHeader('Content-Type', 'application/json')
        response.end(readTexts().get(basename(request.url ?? '', '.json')) ?? '{}')
      })
    },
    transformIndexHtml: () => [...readTexts()].map(([language, texts]) => ({
      tag: 'meta', attrs: { name: `texts-${language}`, content: `./${nameOf(language, texts)}` }, injectTo: 'head-prepend' as const,
    })),
  }
}

/** The licences of what the page is made of travel with it. */
function gatherLicences(...packages: string[]): Plugin {
  return {
    name: 'gather-licences',
    apply: 'build',
    generateBundle() {
      const texts = packages.map((name) => {
        const folder = fileURLToPath(new URL(`./node_modules/${name}/`, import.meta.url))
        const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
        if (file === undefined) this.error(`${name} has no licence file`)
        return `${name}\n${'='.repeat(name.length)}\n\n${readFileSync(folder + file, 'utf8').trim()}\n`
      })
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join('\n\n') })
    },
  }
}

interface TemplateNode {
  type: number
  tagType?: number
  ns?: number
  children?: TemplateNode[]
  loc?: unknown
  props?: unknown[]
}

// The compiler's own numbers for kinds of nodes, which it exports as constant enums alone.
const [ROOT, ELEMENT, TEXT, INTERPOLATION, IF_BRANCH, FOR] = [0, 1, 2, 5, 9, 11]
const NATIVE = 0

/**
 * Give every text that changes an element of its own. A browser's translation puts text nodes into elements of its
 * making, and Vue would go on writing to the nodes that it took away; of an element whose only content is text it sets
 * the whole content, which works. `bdi` is inline, has no style here, and keeps a value's direction to itself.
 */
function isolateText(node: TemplateNode): void {
  const { children, type } = node
  if (children === undefined || ![ROOT, ELEMENT, IF_BRANCH, FOR].includes(type) || (node.ns ?? 0) !== 0) return
  const isText = (child: TemplateNode): boolean => child.type === TEXT || child.type === INTERPOLATION
  if (type === ELEMENT && node.tagType === NATIVE && children.every(isText)) return
  const isolated = children.flatMap((child, index) => {
    if (!isText(child)) return [child]
    const before = children[index - 1]
    if (before !== undefined && isText(before)) return []
    const end = children.findIndex((later, at) => at > index && !isText(later))
    const run = children.slice(index, end < 0 ? undefined : end)
    if (!run.some((one) => one.type === INTERPOLATION)) return run
    return [{ type: ELEMENT, tag: 'bdi', tagType: NATIVE, ns: 0, props: [], children: run, loc: run[0]?.loc, codegenNode: undefined }]
  })
  // In place: the compiler's own transforms share the list.
  children.splice(0, children.length, ...isolated)
}

export default defineConfig({
  base: './',
  plugins: [
    vue({ template: { compilerOptions: { nodeTransforms: [isolateText as never] } } }),
    preloadTextFace(),
    textsByLanguage(),
    gatherLicences('vue', '@vueuse/core', 'pinia', '@fontsource-variable/atkinson-hyperlegible-next'),
  ],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
  build: {
    outDir: fileURLToPath(new URL('../hamlet_trio/web/page', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    // A page whose assets are all files passes a strict Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: {
    port: 5173,
    strictPort: true,
    fs: { allow: ['.', '../hamlet_trio/film/icons.json'] },
    proxy: {
      '/ws': { target: SERVER, ws: true },
      '/api': { target: SERVER },
      // The server's own address: its JSON for the page's scripts, but not its built page for the browser.
      '^/$': {
        target: SERVER,
        bypass: (request) => (request.headers.accept?.includes('text/html') ? request.url : undefined),
      },
    },
  },
})
