/** Read the page's sources as the compiler does: scripts, and every expression, text and attribute of the templates. */
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import ts from 'typescript'
import { parse } from 'vue/compiler-sfc'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

export interface Source {
  /** The path within `src`. */
  path: string
  text: string
  scripts: string[]
  /** The template's expressions that are shown: `{{ }}` and the bound attributes that people read. */
  shown: string[]
  /** The template's other expressions. */
  expressions: string[]
  /** The words that stand in the template itself. */
  bare: string[]
}

/** Attributes and properties whose value people read or hear. */
const READ = new Set([
  'aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext', 'title', 'placeholder', 'alt', 'label', 'text', 'what',
  'empty', 'x-label', 'hint', 'message', 'description', 'unit',
])

type Node = {
  type: number
  content?: string | { content: string }
  tag?: string
  name?: string
  value?: { content: string }
  arg?: { content: string }
  exp?: { content: string }
  props?: Node[]
  children?: Node[]
}

const ELEMENT = 1
const TEXT = 2
const INTERPOLATION = 5
const ATTRIBUTE = 6
const DIRECTIVE = 7

/** Whether a text has words, other than the name of the thing itself. */
export function hasWords(text: string): boolean {
  return /\p{L}{2}/u.test(text.replaceAll('Hamlet', ''))
}

function visit(node: Node, source: Source): void {
  if (node.type === TEXT && hasWords(node.content as string)) source.bare.push((node.content as string).trim())
  if (node.type === INTERPOLATION) source.shown.push((node.content as { content: string }).content)
  for (const prop of node.props ?? []) {
    if (prop.type === ATTRIBUTE && READ.has(prop.name ?? '') && hasWords(prop.value?.content ?? '')) {
      source.bare.push(`${prop.name ?? ''}="${prop.value?.content ?? ''}"`)
    }
    if (prop.type === ATTRIBUTE && prop.name === 'path') source.expressions.push(`'${prop.value?.content ?? ''}'`)
    if (prop.type === DIRECTIVE && prop.exp !== undefined) {
      const read = prop.name === 'bind' && READ.has(prop.arg?.content ?? '')
      ;(read ? source.shown : source.expressions).push(prop.exp.content)
    }
  }
  if (node.type === 0 || node.type === ELEMENT) for (const child of node.children ?? []) visit(child, source)
}

/** Read all of `src` but the messages themselves and what is generated. */
export function readSources(): Source[] {
  return (readdirSync(SRC, { recursive: true }) as string[])
    .filter((path) => /\.(vue|ts)$/.test(path) && !/^(messages|protocol)\W/.test(path))
    .sort()
    .map((path) => {
      const text = readFileSync(SRC + path, 'utf8')
      const source: Source = { path: path.replaceAll('\\', '/'), text, scripts: [], shown: [], expressions: [], bare: [] }
      if (path.endsWith('.ts')) return { ...source, scripts: [text] }
      const { descriptor } = parse(text)
      for (const script of [descriptor.script, descriptor.scriptSetup]) if (script) source.scripts.push(script.content)
      if (descriptor.template?.ast) visit(descriptor.template.ast as unknown as Node, source)
      return source
    })
}

function walk(code: string, see: (node: ts.Node) => boolean | undefined): void {
  const descend = (node: ts.Node): void => {
    if (see(node) !== false) ts.forEachChild(node, descend)
  }
  descend(ts.createSourceFile('source.ts', code, ts.ScriptTarget.Latest, true))
}

export interface Call { path: string; values: string[] | null }

/** Find the calls of `t` with a literal path, and the names of the values they give; null where those are not literal. */
export function callsOf(source: Source): Call[] {
  const calls: Call[] = []
  const expressions = [...source.shown, ...source.expressions].map((text) => `(${text});`).join('\n')
  for (const code of [...source.scripts, expressions]) {
    walk(code, (node) => {
      if (!ts.isCallExpression(node) || node.expression.getText() !== 't') return
      const [path, values] = node.arguments
      if (path === undefined || !ts.isStringLiteral(path)) return
      if (values === undefined) calls.push({ path: path.text, values: [] })
      else if (!ts.isObjectLiteralExpression(values) || values.properties.some((one) => ts.isSpreadAssignment(one))) calls.push({ path: path.text, values: null })
      else calls.push({ path: path.text, values: values.properties.map((one) => one.name?.getText() ?? '') })
    })
  }
  return calls
}

/** Find the literal words that a template's expressions show. */
export function wordsShown(source: Source): string[] {
  const found: string[] = []
  for (const code of source.shown) {
    walk(`(${code})`, (node) => {
      if (ts.isCallExpression(node) && node.expression.getText() === 't') return false
      if (ts.isBinaryExpression(node) && /^[!=]==?$/.test(node.operatorToken.getText())) return false
      if (ts.isElementAccessExpression(node)) return false
      if (ts.isStringLiteral(node) && hasWords(node.text)) found.push(node.text)
      if ((ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)
        || ts.isNoSubstitutionTemplateLiteral(node)) && hasWords(node.text)) found.push(node.text)
    })
  }
  return found
}

/** Find the literals of scripts that read like sentences or labels: a capital letter, and more than one word. */
export function sentencesOf(source: Source): string[] {
  const found: string[] = []
  for (const code of source.scripts) {
    walk(code, (node) => {
      // What goes wrong inside is for whoever mends it.
      if (ts.isThrowStatement(node)) return false
      if (!ts.isStringLiteralLike(node) && !ts.isTemplateHead(node) && !ts.isTemplateTail(node) && !ts.isTemplateMiddle(node)) return
      const label = ts.isPropertyAssignment(node.parent) && ['label', 'title', 'text', 'hint'].includes(node.parent.name.getText())
      if (/^\p{Lu}\p{Ll}+ \p{L}/u.test(node.text) || /\p{Ll}{2} \p{Ll}{2}.*\p{L}[.?!]$/u.test(node.text)
        || (label && hasWords(node.text) && !/^[\w$]+\.[\w.$]+$/.test(node.text))) found.push(node.text)
    })
  }
  return found
}
