using System.IO.Compression;
using System.IO.Hashing;

namespace Graft.Data.Collections;

/// <summary>A zip archive. It stays open; one thread at a time reads from it.</summary>
internal sealed class ZipPhotos : ArchivedPhotos
{
    private readonly List<ZipArchiveEntry> _entries = [];
    private readonly Lock _gate = new();

    /// <exception cref="DataException">It is cut off or damaged.</exception>
    public ZipPhotos(string path)
        : base(path)
    {
        var file = OpenRead();
        try
        {
            // Its entries keep it, and it the file.
            var archive = new ZipArchive(file, ZipArchiveMode.Read);
            foreach (var entry in archive.Entries)
            {
                // What ends in a slash is a folder.
                if (entry.FullName is [.., '/' or '\\']) continue;
                if (entry.IsEncrypted) Skip(entry.FullName, "encrypted");
                else if (Add(entry.FullName, entry.Length)) _entries.Add(entry);
            }
        }
        catch (Exception problem) when (problem is InvalidDataException or EndOfStreamException or ArgumentException or OverflowException)
        {
            file.Dispose();
            throw new DataException($"'{path}' is no zip archive, or it is cut off or damaged: {problem.Message} Copy it again.");
        }
    }

    protected override byte[] Read(int number)
    {
        var entry = _entries[number];
        var content = new byte[entry.Length];
        try
        {
            lock (_gate)
            {
                using var stream = entry.Open();
                if (stream.ReadAtLeast(content, content.Length, throwOnEndOfStream: false) < content.Length || stream.ReadByte() >= 0)
                    throw new InvalidDataException($"it does not hold the {content.Length:N0} bytes that it claims.");
            }
        }
        catch (Exception problem) when (problem is InvalidDataException or NotSupportedException)
        {
            throw new IOException($"'{entry.FullName}' in '{Path}' is damaged: {problem.Message}", problem);
        }
        return Crc32.HashToUInt32(content) == entry.Crc32 ? content : throw new IOException($"'{entry.FullName}' in '{Path}' is damaged: its checksum is not that of its content.");
    }
}
