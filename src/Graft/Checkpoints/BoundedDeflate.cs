using System.IO.Compression;
using PureHDF.Filters;

namespace Graft.Checkpoints;

/// <summary>
/// HDF5's deflate filter, which stops where a chunk becomes larger than it can be: PureHDF's own inflates all that there is, and a megabyte
/// of zeros compressed is a gigabyte.
/// </summary>
internal sealed class BoundedDeflate : IH5Filter
{
    /// <summary>What the filters before this one may have added, such as a checksum.</summary>
    private const int OtherFiltersBytes = 1 << 16;

    private readonly DeflateFilter _filter = new();

    public ushort FilterId => _filter.FilterId;

    public string Name => _filter.Name;

    public Memory<byte> Filter(FilterInfo info)
    {
        if (!info.Flags.HasFlag(H5FilterFlags.Decompress)) return _filter.Filter(info);
        using var inflating = new ZLibStream(new MemoryStream(info.Buffer.ToArray()), CompressionMode.Decompress);
        using var inflated = new MemoryStream();
        var block = new byte[81_920];
        while (inflating.Read(block) is > 0 and var count)
        {
            if (inflated.Length + count > (long)info.ChunkSize + OtherFiltersBytes)
                throw new InvalidDataException("a compressed chunk is larger than it says");
            inflated.Write(block.AsSpan(0, count));
        }
        return inflated.GetBuffer().AsMemory(0, (int)inflated.Length);
    }

    public uint[] GetParameters(uint[] chunkDimensions, uint typeSize, Dictionary<string, object>? options) =>
        _filter.GetParameters(chunkDimensions, typeSize, options);
}
