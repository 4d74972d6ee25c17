import type { Result } from './run-scenario.ts'

const exampleLength = 600

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

/** Of a run with a seeded bug a failure is what was wanted. */
export const isGood = ({ bug, status }: Result): boolean => (bug === undefined) === (status === 'passed')

export function printResult(result: Result): void {
  const { id, transport, bug, seconds, findings, figures } = result
  const told = Object.entries(figures).map(([name, value]) => `${name} ${value}`)
  const where = bug === undefined ? transport : `with "${bug}"`
  const verdict = isGood(result) ? (bug === undefined ? 'ok' : 'caught') : bug === undefined ? 'FAILED' : 'NOT CAUGHT'
  console.log(`${verdict.padEnd(10)} ${id.padEnd(4)} ${where}  ${seconds} s  ${told.join(', ')}`)
  if (bug !== undefined) {
    for (const { what, count } of findings.slice(0, 1)) console.log(`           ${what}: ${count}`)
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
