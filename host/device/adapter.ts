import { readFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { basename } from 'node:path'
import { type AdapterKind, gpuFiles, type Manifest, mesaVersion, nvidiaEglVendor, systemManifests } from './manifest.ts'
import { bundledSwiftShader } from './swiftshader.ts'
import { widenVectors } from './vector_width.ts'

/**
 * What became of one driver that could have been used.
 *
 * Example: {@link listAdapters}.
 */
export interface AdapterReport {
  readonly kind: AdapterKind
  /** The device as its driver names it, or the driver where no device was reached. */
  readonly name: string
  readonly driver: string
  readonly vendor: string
  readonly accepted: boolean
  /** Why it was refused, or why it stands where it stands. */
  readonly reason: string
}

/**
 * An adapter that answers. Owns the WebGPU instance: `instance` must stay referenced for as long as its device lives.
 *
 * @internal
 */
export interface OpenAdapter {
  readonly instance: GPU
  readonly adapter: GPUAdapter
  readonly kind: AdapterKind
  readonly name: string
  readonly driver: string
  readonly vendor: string
  readonly software: boolean
}

/** A set of drivers that is tried as one WebGPU instance. @internal */
export interface Candidate {
  readonly kind: AdapterKind
  readonly label: string
  /**
   * Manifests the Vulkan loader may see. `bundled`: that of the driver which comes with the package, unpacked when it
   * is tried.
   * `platform`: what Dawn finds by itself (Metal, D3D12).
   */
  readonly manifests: readonly Manifest[] | 'bundled' | 'platform'
}

/**
 * No adapter fits the request. The message is one line and names what is there.
 *
 * @example
 * import { NoAdapterError, openDevice } from 'wgevm'
 *
 * const device = await openDevice({ adapter: 'gpu' }).catch((error: unknown) => {
 *   if (error instanceof NoAdapterError) return undefined // error.reports says what became of each driver
 *   throw error
 * })
 * device?.destroy()
 */
export class NoAdapterError extends Error {
  override readonly name = 'NoAdapterError'
  readonly reports: readonly AdapterReport[]
  constructor(request: string | undefined, reports: readonly AdapterReport[]) {
    const usable = reports.filter(({ accepted }) => accepted)
    const refused = reports.filter(({ accepted }) => !accepted)
    const wanted = request === undefined ? 'no WebGPU adapter works here' : `no adapter '${request}' here`
    const there = usable.length > 0 ? `there is ${usable.map(({ kind, name }) => `${kind} (${name})`).join(', ')}` : ''
    const not = refused.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
    super([wanted, there, not === '' ? '' : `refused: ${not}`].filter((part) => part !== '').join('; '))
    this.reports = reports
  }
}

/** Mesa releases before this one have a lavapipe that Dawn refuses. */
export const OLDEST_MESA = 24

const KINDS: readonly AdapterKind[] = ['gpu', 'lavapipe', 'swiftshader']

/** A request is a kind of adapter, or else a part of an adapter's name (any case). */
export const requestedKind = (request: string | undefined): AdapterKind | undefined =>
  KINDS.find((kind) => kind === request?.toLowerCase())

/**
 * The drivers to try, best first: hardware, system lavapipe, system SwiftShader, bundled SwiftShader. Hardware drivers
 * form one candidate, since the loader finds the best of them in one instance; on other systems than Linux the
 * platform's own drivers are the only candidate.
 *
 * @internal
 */
export const candidates = (platform: NodeJS.Platform, manifests: readonly Manifest[]): Candidate[] => {
  if (platform !== 'linux') return [{ kind: 'gpu', label: 'the GPU of this system', manifests: 'platform' }]
  const of = (kind: AdapterKind) => manifests.filter((manifest) => manifest.kind === kind)
  const list: Candidate[] = []
  if (of('gpu').length > 0) list.push({ kind: 'gpu', label: 'hardware Vulkan driver', manifests: of('gpu') })
  for (const manifest of of('lavapipe')) {
    list.push({ kind: 'lavapipe', label: 'system lavapipe', manifests: [manifest] })
  }
  for (const manifest of of('swiftshader')) {
    list.push({ kind: 'swiftshader', label: 'system SwiftShader', manifests: [manifest] })
  }
  list.push({ kind: 'swiftshader', label: 'bundled SwiftShader', manifests: 'bundled' })
  return list
}

/** Whether an adapter is one the request asks for. @internal */
export const fits = (
  request: string | undefined,
  { kind, name, driver, vendor }: Pick<OpenAdapter, 'kind' | 'name' | 'driver' | 'vendor'>,
): boolean => {
  if (request === undefined) return true
  const wanted = requestedKind(request)
  if (wanted !== undefined) return kind === wanted
  return [name, driver, vendor].some((text) => text.toLowerCase().includes(request.toLowerCase()))
}

/** The kind of an adapter that answered, whatever manifest it came through. */
export const kindOf = (description: string): AdapterKind => {
  if (/llvmpipe|lavapipe/i.test(description)) return 'lavapipe'
  return /swiftshader/i.test(description) ? 'swiftshader' : 'gpu'
}

interface Vulkan {
  readonly list: readonly Candidate[]
  readonly refusals: readonly AdapterReport[]
}

let loaderReady = false

/**
 * The candidates of this process. On Linux it first makes sure that there is a Vulkan loader: Dawn looks for an already
 * loaded library of the name `libvulkan.so.1`, so the bundled one needs no LD_LIBRARY_PATH and no second process.
 */
const discover = (request: string | undefined): Vulkan => {
  if (process.platform !== 'linux') return { list: candidates(process.platform, []), refusals: [] }
  // lavapipe refuses to start without it.
  process.env['XDG_RUNTIME_DIR'] ||= tmpdir()
  const vendor = nvidiaEglVendor()
  if (vendor !== undefined) process.env['__EGL_VENDOR_LIBRARY_FILENAMES'] = vendor
  const refusals: AdapterReport[] = []
  const found = systemManifests()
  // Without a GPU the hardware drivers only write errors; who asks for one by its kind gets the attempt.
  const hardware = requestedKind(request) === 'gpu' || gpuFiles().length > 0
  if (!hardware) {
    refusals.push(refusal('gpu', 'hardware GPU', 'no GPU device file in /dev (dri/renderD*, nvidia*, dxg)'))
  } else if (!found.some(({ kind }) => kind === 'gpu')) {
    refusals.push(refusal('gpu', 'hardware GPU', 'no Vulkan driver manifest (icd.d)'))
  }
  loaderReady ||= loadLibrary('libvulkan.so.1') || loadBundledLoader()
  if (!loaderReady) {
    refusals.push(refusal('gpu', 'Vulkan', 'no Vulkan loader: neither a system libvulkan.so.1 nor the bundled one'))
    return { list: [], refusals }
  }
  return { list: candidates('linux', hardware ? found : found.filter(({ kind }) => kind !== 'gpu')), refusals }
}

const loadBundledLoader = (): boolean => {
  const bundled = bundledSwiftShader()
  return 'loader' in bundled && loadLibrary(bundled.loader)
}

const RTLD_NODELETE = 0x1000

/**
 * Loads a shared library for good; says whether it is there. Node expects an add-on and throws "Module did not
 * self-register" after the library is loaded, and RTLD_NODELETE keeps it: the memory map tells, not the throw.
 */
const loadLibrary = (path: string): boolean => {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | RTLD_NODELETE)
  } catch {
    // Thrown in either case.
  }
  return readFileSync('/proc/self/maps', 'utf8').includes(basename(path))
}

const refusal = (kind: AdapterKind, name: string, reason: string): AdapterReport => ({
  kind,
  name,
  driver: '',
  vendor: '',
  accepted: false,
  reason,
})

const VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'] as const

/**
 * Runs `work` while the Vulkan loader is told to see only these manifests. Dawn creates its Vulkan instance inside the
 * call of `requestAdapter`, and the loader reads the variables there, once per instance: so one process can hold
 * several drivers side by side, and the environment is as before when this returns.
 */
const withManifests = <T>(manifests: readonly string[] | undefined, work: () => T): T => {
  if (manifests === undefined) return work()
  const before = VARIABLES.map((name) => process.env[name])
  const paths = manifests.join(':')
  process.env['VK_DRIVER_FILES'] = paths
  process.env['VK_ICD_FILENAMES'] = paths
  delete process.env['VK_ADD_DRIVER_FILES']
  try {
    return work()
  } finally {
    VARIABLES.forEach((name, i) => {
      const value = before[i]
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    })
  }
}

const open = async (candidate: Candidate, flags: readonly string[]): Promise<OpenAdapter | AdapterReport> => {
  const manifests = manifestPaths(candidate)
  if (manifests !== undefined && 'missing' in manifests) {
    return refusal(candidate.kind, candidate.label, manifests.missing)
  }
  const { create } = await import('webgpu')
  if (candidate.kind === 'lavapipe') widenVectors()
  try {
    const { instance, pending } = withManifests(manifests, () => {
      const instance = create([...flags])
      return { instance, pending: instance.requestAdapter({ powerPreference: 'high-performance' }) }
    })
    const adapter = await pending
    if (adapter === null) return refusal(candidate.kind, candidate.label, refusalReason(candidate))
    const { description, device, vendor, isFallbackAdapter } = adapter.info
    const kind = kindOf(`${description} ${device}`)
    const name = device.replace(/-+$/, '') || description || candidate.label
    return { instance, adapter, kind, name, driver: description, vendor, software: isFallbackAdapter || kind !== 'gpu' }
  } catch (thrown) {
    return refusal(
      candidate.kind,
      candidate.label,
      firstLine(thrown instanceof Error ? thrown.message : String(thrown)),
    )
  }
}

const manifestPaths = ({ manifests }: Candidate): readonly string[] | undefined | { readonly missing: string } => {
  if (manifests === 'platform') return undefined
  if (manifests !== 'bundled') return manifests.map(({ path }) => path)
  const bundled = bundledSwiftShader()
  return 'manifest' in bundled ? [bundled.manifest] : bundled
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''

const refusalReason = ({ kind, manifests }: Candidate): string => {
  if (kind === 'lavapipe' && typeof manifests !== 'string') {
    const version = manifests.map(mesaVersion)[0]
    return version === undefined ? 'its library is missing or gives no device' : mesaReason(version)
  }
  return kind === 'gpu' ? 'no device answers' : 'the driver gives no device'
}

/** Why a lavapipe of this Mesa version gave no adapter. */
export const mesaReason = (version: string): string =>
  Number.parseInt(version, 10) < OLDEST_MESA
    ? `Mesa ${version} is too old: Dawn needs lavapipe from Mesa >= ${OLDEST_MESA}`
    : `Mesa ${version} gives no device that Dawn accepts`

const isRefusal = (result: OpenAdapter | AdapterReport): result is AdapterReport => 'accepted' in result

const acceptedReport = (found: OpenAdapter, reason: string): AdapterReport => {
  const { kind, name, driver, vendor } = found
  return { kind, name, driver, vendor, accepted: true, reason }
}

/** The request that holds: the argument, else WGEVM_ADAPTER, else none. */
export const adapterRequest = (adapter: string | undefined): string | undefined =>
  adapter || process.env['WGEVM_ADAPTER'] || undefined

/**
 * Opens the best adapter that fits the request. `flags` are Dawn flags (`enable-dawn-features=...`).
 * Throws NoAdapterError.
 *
 * @internal
 */
export const openAdapter = async (request: string | undefined, flags: readonly string[]): Promise<OpenAdapter> => {
  const { list, refusals } = discover(request)
  const wanted = requestedKind(request)
  const reports = [...refusals]
  for (const candidate of list) {
    if (wanted !== undefined && candidate.kind !== wanted && candidate.manifests !== 'platform') continue
    const byName = wanted === undefined && request !== undefined && candidate.kind === 'gpu'
    const result = byName ? await openByName(candidate, request, flags) : await open(candidate, flags)
    if (!isRefusal(result) && fits(request, result)) return result
    reports.push(isRefusal(result) ? result : acceptedReport(result, 'does not fit the request'))
  }
  if (wanted !== undefined) {
    const others = (await listAdapters()).filter(({ name }) => !reports.some((report) => report.name === name))
    reports.push(...others.filter(({ kind }) => kind !== wanted))
  }
  throw new NoAdapterError(request, reports)
}

/**
 * Several hardware GPUs share a candidate: Dawn picks by name, in the driver's spelling; an error there means no match.
 */
const openByName = async (
  candidate: Candidate,
  request: string,
  flags: readonly string[],
): Promise<OpenAdapter | AdapterReport> => {
  const named = await open(candidate, [...flags, `adapter=${request}`])
  return isRefusal(named) ? open(candidate, flags) : named
}

/**
 * Every driver that could be used here, best first, with what became of it. Creates an instance of each.
 *
 * @example
 * import { listAdapters } from 'wgevm'
 *
 * for (const { kind, name, accepted, reason } of await listAdapters()) console.log(kind, name, accepted, reason)
 */
export const listAdapters = async (): Promise<AdapterReport[]> => {
  const { list, refusals } = discover(undefined)
  const reports: AdapterReport[] = []
  for (const candidate of list) {
    const result = await open(candidate, [])
    reports.push(isRefusal(result) ? result : acceptedReport(result, candidate.label))
  }
  return [...reports, ...refusals]
}
