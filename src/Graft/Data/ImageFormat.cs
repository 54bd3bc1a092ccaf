using Graft.Data.Collections;
using Graft.Data.Remote;
using Graft.Imaging;

namespace Graft.Data;

/// <summary>Tells images from other files by extension and by their first bytes only where it says nothing.</summary>
internal static class ImageFormat
{
    public const string NotAnImage = "not an image";

    private const int SignatureLength = 18;

    private static readonly HashSet<string> NotRead = new(StringComparer.OrdinalIgnoreCase)
    {
        ".jxl", ".jp2", ".psd", ".svg", ".ico",
        ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2",
    };

    /// <summary>Why the file cannot be an image that is read here, or null if it may; nothing is decoded.</summary>
    public static string? Objection(string path)
    {
        var extension = Path.GetExtension(path);
        if (ImageDecoder.FileExtensions.Contains(extension)) return null;
        if (extension.ToUpperInvariant() is ".HEIC" or ".HEIF" or ".AVIF")
            return $"image format not supported ({extension}). {ImageDecoder.HeicRemedy}";
        if (NotRead.Contains(extension)) return $"image format not supported ({extension}); convert it to JPEG or PNG";
        try
        {
            if (RemotePlace.Is(path)) return IsImage(RemotePhotos.Start(path, SignatureLength)) ? null : NotAnImage;
            Span<byte> start = stackalloc byte[SignatureLength];
            using var file = PhotoFile.OpenRead(path);
            return IsImage(start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]) ? null : NotAnImage;
        }
        catch (UnauthorizedAccessException)
        {
            return "permission denied";
        }
        catch (IOException broken)
        {
            return $"cannot be read: {broken.Message}";
        }
    }

    private static bool IsImage(ReadOnlySpan<byte> start) => start switch
    {
        [0xFF, 0xD8, 0xFF, ..] => true,
        [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => true,
        [(byte)'G', (byte)'I', (byte)'F', (byte)'8', ..] => true,
        [(byte)'I', (byte)'I', (byte)'*', 0, ..] or [(byte)'M', (byte)'M', 0, (byte)'*', ..] => true,
        [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _,
            (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => true,
        // "BM" begins many a text too; a bitmap's second header also gives its own length, between 12 and 124 bytes.
        [(byte)'B', (byte)'M', _, _, _, _, _, _, _, _, _, _, _, _, >= 12 and <= 124, 0, 0, 0, ..] => true,
        _ => false,
    };
}
