export default async function tearDown() {
  const { before, leftOut, missing, stop } = globalThis.evtServers
  await stop()
  // The next run of a watching Jest starts its own.
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  for (const [name, why] of leftOut) process.stderr.write(`left out: ${name} (${why})\n`)
  if (missing.length > 0) {
    process.stderr.write(`EVT_REQUIRE_SERVERS names what could not be had: ${missing.join(', ')}\n`)
    process.exitCode = 1
  }
}
