using System.Formats.Tar;
using Graft.Data.Remote;

namespace Graft.Data.Collections;

/// <summary>A tar archive, read in place: opening it reads the headers, reading a photo its bytes.</summary>
internal sealed class TarShard : ArchivedPhotos
{
    private readonly List<long> _offsets = [];

    /// <summary>What says classes, where each would be a request of its own.</summary>
    private readonly Dictionary<int, byte[]> _sidecars = [];

    /// <exception cref="DataException">It is compressed, cut off or damaged.</exception>
    public TarShard(string path)
        : base(path)
    {
        using var file = OpenRead(bufferSize: 4096, isStraight: true);
        if (IsCompressed(file)) throw new DataException($"'{path}' is a compressed tar archive, in which no photo can be found without reading all before it. Decompress it.");
        var last = "its first member";
        try
        {
            using var reader = new TarReader(file);
            while (reader.GetNextEntry() is { } entry)
            {
                last = $"'{entry.Name}'";
                if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink) Skip(entry.Name, "a link, which is not followed");
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile)) continue;
                if (entry.DataOffset + entry.Length > file.Length)
                    throw new DataException($"'{path}' is cut off: {last} should have {entry.Length:N0} bytes, and the file ends {entry.DataOffset + entry.Length - file.Length:N0} bytes earlier. Copy it again.");
                if (!Add(entry.Name, entry.Length)) continue;
                _offsets.Add(entry.DataOffset);
                if (RemotePlace.Is(path) && IsSidecar(entry)) _sidecars.Add(_offsets.Count - 1, Content(entry));
            }
        }
        catch (Exception problem) when (problem is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException)
        {
            throw new DataException($"'{path}' is no tar archive, or it is damaged after {last}: {problem.Message} Copy it again.");
        }
    }

    protected override byte[] Read(int number)
    {
        if (_sidecars.TryGetValue(number, out var known)) return known;
        var (name, bytes) = Members[number];
        if (RemotePlace.Is(Path)) return ObjectStore.Of(Path).Read(Path, _offsets[number], checked((int)bytes!.Value), Facts.Tag);
        var content = new byte[bytes!.Value];
        using var file = RegularFile.OpenHandle(Path);
        for (var done = 0; done < content.Length;)
        {
            var count = RandomAccess.Read(file, content.AsSpan(done), _offsets[number] + done);
            if (count == 0) throw new EndOfStreamException($"'{Path}' ends amid '{name}': it has changed.");
            done += count;
        }
        return content;
    }

    private static bool IsSidecar(TarEntry entry) => entry.Length is > 0 and <= MostLabelBytes && (System.IO.Path.GetExtension(entry.Name).ToLowerInvariant() is ".cls" or ".json");

    private static byte[] Content(TarEntry entry)
    {
        var content = new byte[entry.Length];
        entry.DataStream!.ReadExactly(content);
        return content;
    }

    private static bool IsCompressed(Stream file)
    {
        Span<byte> start = stackalloc byte[4];
        var count = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        file.Position = 0;
        // gzip, bzip2, xz, zstd
        return start[..count] is [0x1F, 0x8B, ..] or [(byte)'B', (byte)'Z', (byte)'h', ..] or [0xFD, (byte)'7', (byte)'z', ..] or [0x28, 0xB5, 0x2F, 0xFD];
    }
}
