using System.Security.Cryptography;
using Graft.Data.Remote;
using Graft.Imaging;

namespace Graft.Data.Collections;

/// <summary>
/// What the path of a photo leads to: a file, an object on another machine, or a member of a collection that the path leads through; see
/// <see cref="PhotoCollection"/>.
/// </summary>
internal static class PhotoFile
{
    /// <summary>Whether the path leads through a collection or to another machine: there is no file at it.</summary>
    public static bool IsMember(string path) => RemotePlace.Is(path) || PhotoCollection.In(path) is { Name.Length: > 0 };

    /// <summary>Whether it is there; of an object on another machine, whether a listing that was read says so, and no request is made.</summary>
    public static bool Exists(string path)
    {
        try
        {
            if (RemotePlace.Is(path)) return Through(path, opens: false) is not { } known || known.Collection.Holds(known.Name);
            return Through(path) is { } member ? member.Collection.Holds(member.Name) : File.Exists(path);
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Its length; null where only reading tells.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static long? Length(string path)
    {
        if (Through(path) is { } member) return member.Collection.BytesOf(member.Name);
        if (RemotePlace.Is(path)) return null;
        var file = new FileInfo(path);
        return (file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file).Length;
    }

    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="RemoteException">Its server is not reached, or refuses.</exception>
    public static byte[] ReadAllBytes(string path) => RemotePlace.Is(path) ? RemotePhotos.Read(RemotePlace.Of(path)) : Through(path) is { } member ? member.Collection.Read(member.Name) : RegularFile.ReadAllBytes(path);

    /// <summary>Its content; whether it is kept in memory is nothing to the caller.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="RemoteException">Its server is not reached, or refuses.</exception>
    public static Stream OpenRead(string path) => RemotePlace.Is(path) ? new MemoryStream(ReadAllBytes(path), writable: false) : Through(path) is { } member ? new MemoryStream(member.Collection.Read(member.Name), writable: false) : RegularFile.OpenRead(path);

    /// <summary>SHA-256 of its content.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="RemoteException">Its server is not reached, or refuses.</exception>
    public static byte[] Hash(string path)
    {
        if (RemotePlace.Is(path)) return RemotePhotos.Hash(path);
        using var file = OpenRead(path);
        return SHA256.HashData(file);
    }

    /// <inheritdoc cref="ImageDecoder.Decode(string, DecodingOptions?)"/>
    public static RgbImage Decode(string path) => IsMember(path) ? Decoded(path, content => ImageDecoder.Decode(content)) : ImageDecoder.Decode(path);

    /// <inheritdoc cref="ImageDecoder.Decode{T}(string, Func{RgbImage, T}, DecodingOptions?)"/>
    public static T Decode<T>(string path, Func<RgbImage, T> use) =>
        IsMember(path) ? Decoded(path, content => ImageDecoder.Decode(content, use)) : ImageDecoder.Decode(path, use);

    private static T Decoded<T>(string path, Func<byte[], T> decode)
    {
        try
        {
            return decode(ReadAllBytes(path));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or RemoteException)
        {
            throw new UnreadableImageException(problem.Message, path, problem);
        }
        catch (UnreadableImageException problem) when (problem.Path is null)
        {
            throw new UnreadableImageException(problem.Reason, path, problem);
        }
    }

    /// <summary>A damaged collection is to a photo in it what a damaged disk is to a file.</summary>
    /// <param name="opens">Whether a collection on another machine that is not open yet is opened.</param>
    internal static (PhotoCollection Collection, string Name)? Through(string path, bool opens = true)
    {
        try
        {
            return PhotoCollection.In(path) is { Name.Length: > 0 } member && (opens || PhotoCollection.IsOpen(member.File)) ? (PhotoCollection.Open(member.File), member.Name) : null;
        }
        catch (DataException damaged)
        {
            throw new IOException(damaged.Message, damaged);
        }
    }
}
