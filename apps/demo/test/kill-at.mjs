/** Preloaded into the demo: sends itself signals at given crash points. Input: EVT_DEMO_KILL, JSON [{ point, nth, signal }]. */
const moments = JSON.parse(process.env.EVT_DEMO_KILL)
const hits = {}

globalThis[Symbol.for('evt.crashPoint')] = (name) => {
  // A point named with a bar is any of several.
  for (const { point, nth, signal } of moments) {
    if (!point.split('|').includes(name)) continue
    const key = `${point} ${nth}`
    hits[key] = (hits[key] ?? 0) + 1
    if (hits[key] === nth) process.kill(process.pid, signal)
  }
}
