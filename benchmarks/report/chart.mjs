// Bar charts as SVG that need no script: legible in light and in dark, with a title and a description for those who do not see them.
const width = 760
const left = 200
const bar = 15
const [groupGap, head, foot] = [12, 62, 12]
const style = `
  svg { color: #1f2328; --first: #1f6fb2; --second: #8fbfe6; --line: #d0d7de }
  @media (prefers-color-scheme: dark) { svg { color: #e6edf3; --first: #58a6ff; --second: #2d5f93; --line: #3d444d } }
  text { font: 12px system-ui, sans-serif; fill: currentColor }
  .title { font-size: 15px; font-weight: 600 }
  .ours { font-weight: 600 }
  .first { fill: var(--first) } .second { fill: var(--second) } .axis { stroke: var(--line) }`

const escape = text => text.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c])
export const number = value => value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 })

// Each row has a label and values, one of each series; a row that is `ours` is set in bold.
export function barChart ({ title, subtitle, series, rows }) {
  const most = Math.max(...rows.flatMap(row => row.values))
  const scale = value => Math.max(1, value / most * (width - left - 80))
  const rowHeight = series.length * bar + groupGap
  const height = head + rows.length * rowHeight + foot
  const said = rows.map(row => `${row.label}: ${series.map((name, i) => `${name} ${number(row.values[i])}`).join(', ')}`).join('; ')
  const legend = series.length < 2 ? '' : series.map((name, i) =>
    `<rect class="${i ? 'second' : 'first'}" x="${width - 150 + i * 70}" y="12" width="12" height="12"/><text x="${width - 133 + i * 70}" y="22">${escape(name)}</text>`).join('')
  const drawn = rows.map((row, r) => {
    const top = head + r * rowHeight
    const label = `<text${row.ours ? ' class="ours"' : ''} x="${left - 8}" y="${top + series.length * bar / 2 + 4}" text-anchor="end">${escape(row.label)}</text>`
    return label + row.values.map((value, i) =>
      `<rect class="${i ? 'second' : 'first'}" x="${left}" y="${top + i * bar}" width="${scale(value).toFixed(1)}" height="${bar - 2}"/>` +
      `<text x="${(left + scale(value) + 5).toFixed(1)}" y="${top + i * bar + 11}">${number(value)}</text>`).join('')
  }).join('\n')
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escape(title)}</title>
<desc id="description">${escape(`${subtitle}. ${said}.`)}</desc>
<style>${style}
</style>
<text class="title" x="8" y="22">${escape(title)}</text><text x="8" y="42">${escape(subtitle)}</text>${legend}
<line class="axis" x1="${left}" x2="${left}" y1="${head - 6}" y2="${height - foot}"/>
${drawn}
</svg>
`
}
