import type { Result } from './run-scenario.ts'

const exampleLength = 600
/** Findings that say that something is wrong and not what. */
const vague = /^(a program|the scenario|nothing moved|it never)/

/** One line that is written over while something runs; on anything but a terminal it stays silent. */
export function progressLine(title: string): { show(text: string): void; clear(): void } {
  const { stdout } = process
  const startedMs = performance.now()
  if (!stdout.isTTY) return { show() {}, clear() {} }
  const write = (text: string) => stdout.write(`\r\u001b[K${text}`)
  return {
    show: (text) => write(`${title}  ${((performance.now() - startedMs) / 1_000).toFixed(0)} s  ${text}`),
    clear: () => write(''),
  }
}

/** A run with a seeded bug is good when it names what was broken. */
export function isGood({ bug, findings }: Result): boolean {
  return bug === undefined ? findings.length === 0 : findings.some(({ what }) => !vague.test(what))
}

export function printResult(result: Result): void {
  const { id, transport, bug, seconds, findings, figures } = result
  const told = Object.entries(figures).map(([name, value]) => `${name} ${value}`)
  const where = bug === undefined ? transport : `with "${bug}"`
  const verdict = isGood(result) ? (bug === undefined ? 'ok' : 'caught') : bug === undefined ? 'FAILED' : 'NOT CAUGHT'
  console.log(`${verdict.padEnd(10)} ${id.padEnd(4)} ${where}  ${seconds} s  ${told.join(', ')}`)
  if (bug !== undefined) {
    const telling = findings.find(({ what }) => !vague.test(what)) ?? findings[0]
    if (telling !== undefined) console.log(`           ${telling.what}: ${telling.examples.slice(0, 3).join(', ')}`)
    return
  }
  for (const { what, count, examples } of findings) {
    console.log(`           ${what}: ${count}`)
    for (const example of examples.slice(0, 3)) console.log(`             ${example.slice(0, exampleLength)}`)
  }
  if (result.status === 'failed') console.log(`           again: ${result.replay}\n           ledger: ${result.ledger}`)
}

/** The last lines; true when everything is as it should be. */
export function printSummary(results: readonly Result[]): boolean {
  const good = results.filter(isGood)
  const sum = (figure: string) => results.reduce((total, { figures }) => total + (figures[figure] ?? 0), 0)
  const seconds = results.reduce((total, result) => total + result.seconds, 0)
  console.log(
    `${good.length} passed, ${results.length - good.length} failed: ${sum('messages')} messages, ${sum('kills')} kills, ${Math.round(seconds)} s`,
  )
  return good.length === results.length
}
