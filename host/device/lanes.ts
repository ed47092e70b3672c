import { mostWaveBytes, type StorageLimits } from './limits.ts'

/** Workgroups as (x, y) with x * y >= count and no more than max in either; the surplus is less than one row. */
export const splitWorkgroups = (count: number, max: number): readonly [x: number, y: number] => {
  const y = Math.max(1, Math.ceil(count / max))
  if (y > max) throw new RangeError(`${count} workgroups are more than ${max} x ${max}`)
  return [Math.ceil(count / y), y]
}

export interface LaneLimits extends StorageLimits {
  readonly maxComputeWorkgroupsPerDimension: number
}

/**
 * Lanes per chunk when each of these buffers holds `bytesPerLane` bytes for every lane of a chunk: all of them where
 * they fit one binding, else equal chunks that are multiples of a workgroup. More than one chunk is to be reported.
 */
export const chunkLanes = (
  { limits }: { readonly limits: LaneLimits },
  laneCount: number,
  bytesPerLane: readonly number[],
  workgroupSize: number,
): { readonly lanesPerChunk: number; readonly chunkCount: number } => {
  if (laneCount === 0) return { lanesPerChunk: 0, chunkCount: 0 }
  const bytes = mostWaveBytes(limits)
  const widest = Math.max(1, ...bytesPerLane)
  const byMemory = Math.floor(bytes / widest / workgroupSize) * workgroupSize
  const byDispatch = limits.maxComputeWorkgroupsPerDimension ** 2 * workgroupSize
  const most = Math.min(byMemory, byDispatch)
  if (most < workgroupSize) throw new RangeError(`${widest} bytes per lane leave no room for one workgroup`)
  if (laneCount <= most) return { lanesPerChunk: laneCount, chunkCount: 1 }
  const chunkCount = Math.ceil(laneCount / most)
  const even = Math.ceil(laneCount / chunkCount / workgroupSize) * workgroupSize
  return { lanesPerChunk: even, chunkCount: Math.ceil(laneCount / even) }
}
