// Puts a text between the marks <!-- name --> and <!-- /name --> of a document; what stands outside them is written by hand and kept.
//   node publish.mjs file name < text
import { readFileSync, writeFileSync } from 'node:fs'

export function publish (file, name, text) {
  const document = readFileSync(file, 'utf8')
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [document.indexOf(open), document.indexOf(close)]
  if (from < 0 || to < from) throw new Error(`${file} lacks ${open} and ${close}.`)
  writeFileSync(file, document.slice(0, from + open.length) + '\n' + text.trim() + '\n' + document.slice(to))
}

if (import.meta.filename === process.argv[1]) publish(process.argv[2], process.argv[3], readFileSync(0, 'utf8'))
