/** The text with everything between the markers of a section replaced. Throws where the markers are missing. */
export function replaceSection(text: string, section: string, content: string): string {
  const begin = `<!-- generated: ${section} -->`
  const end = `<!-- end: ${section} -->`
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`The section "${section}" has no markers: ${begin} … ${end}`)
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`
}
