import type { GoalResult, Measured, Result } from './result.ts'
import type { Spread } from './statistics.ts'

/** A result as lines for people at a terminal. */
export function showResult({ id, title, unit, measured, goals }: Result): string {
  const width = Math.max(...measured.map(({ contender }) => contender.length))
  const lines = measured.map((each) => {
    const rate = unit === 'ns per message' ? `${perSecond(each).padStart(12)}/s` : ''
    const others = Object.entries({ ...each.figures, ...each.facts }).map(([name, value]) => `${name} ${short(value)}`)
    const marks = [...(each.duplicates > 0 ? [`${each.duplicates} duplicates`] : []), ...disturbance(each)]
    const head = `  ${each.contender.padEnd(width)}  ${spread(each.spread).padEnd(24)}${rate}  ${spread(each.ratio)}x`
    return `${head}\n  ${' '.repeat(width)}  ${[...others, ...marks].join(', ')}`
  })
  return [`\n${id}  ${title} [${unit}]`, ...lines, ...goals.map(showGoal)].join('\n')
}

export const perSecond = ({ spread: { median } }: Measured): string => Math.round(1e9 / median).toLocaleString('en')

export const spread = ({ median, min, max }: Spread): string => `${short(median)} (${short(min)}–${short(max)})`

/** Three digits that count. */
export function short(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

export function disturbance({ disturbedRounds, mostOtherShare, rounds }: Measured): string[] {
  if (disturbedRounds === 0) return []
  return [`disturbed in ${disturbedRounds} of ${rounds.length} rounds, others used up to ${percent(mostOtherShare)}`]
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`

function showGoal({ text, value, wanted, met }: GoalResult): string {
  return `  ${met ? 'met   ' : 'MISSED'} ${short(value)} ${text} (wanted ${wanted})`
}
