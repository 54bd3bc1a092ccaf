using Graft.Data.Collections;
using Graft.Data.Remote;

namespace Graft.Data;

/// <summary>An image: a file, or an encoded image (JPEG, PNG, …) that comes from memory, an archive or a database.</summary>
/// <param name="Path">
/// The file's path; it may lead through a tar, zip or Parquet file as through a folder: <c>flowers.zip/daisy/1.jpg</c>; or to another machine:
/// <c>s3://bucket/flowers/daisy/1.jpg</c>, <c>https://…</c>. Of an image from memory, a name that no other image of the data set has.
/// </param>
public record ImageSource(string Path)
{
    /// <summary>Gives the encoded image; null of one at a path.</summary>
    internal Func<byte[]>? Content { get; init; }

    /// <summary>A file.</summary>
    public static implicit operator ImageSource(string path) => FromFile(path);

    /// <summary>A file.</summary>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    public static ImageSource FromFile(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return new(path);
    }

    /// <summary>An encoded image in memory. The bytes are not copied; leave them as they are.</summary>
    /// <param name="name">Shown in messages and results.</param>
    public static ImageSource FromBytes(string name, byte[] content)
    {
        ArgumentNullException.ThrowIfNull(content);
        return FromContent(name, () => content);
    }

    /// <summary>An encoded image, read from the stream's position to its end now, and kept in memory.</summary>
    /// <param name="name">Shown in messages and results.</param>
    public static ImageSource FromStream(string name, Stream content)
    {
        ArgumentNullException.ThrowIfNull(content);
        using var copy = new MemoryStream();
        content.CopyTo(copy);
        return FromBytes(name, copy.ToArray());
    }

    /// <summary>An encoded image that is fetched each time it is needed, so that a data set need not fit in memory.</summary>
    /// <param name="name">Shown in messages and results.</param>
    /// <param name="content">Gives the same bytes each time; called from several threads.</param>
    public static ImageSource FromContent(string name, Func<byte[]> content)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(content);
        return new(name) { Content = content };
    }

    /// <summary>Whether it is a file of its own at <see cref="Path"/>, not a member of a collection.</summary>
    public bool IsFile => HasPath && !PhotoFile.IsMember(Path);

    /// <summary>Whether <see cref="Path"/> is a path, and not a name for an image from elsewhere.</summary>
    internal bool HasPath => Content is null;

    /// <summary>The encoded image, whole.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public byte[] Read() => Content?.Invoke() ?? PhotoFile.ReadAllBytes(Path);

    /// <summary>Its full path, or its name if it has none.</summary>
    internal string FullPath => HasPath ? RemotePlace.Full(Path) : Path;
}
