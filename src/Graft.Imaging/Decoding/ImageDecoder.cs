using System.Collections.Frozen;
using System.Runtime.CompilerServices;

namespace Graft.Imaging;

/// <summary>
/// Decodes JPEG, PNG, BMP, GIF, WebP, TIFF and PBM, PGM and PPM to upright RGB, as Pillow's <c>exif_transpose</c> and
/// <c>convert("RGB")</c> do: EXIF orientation applied, gray repeated, alpha dropped without blending, CMYK by the plain
/// formula, raw values without color management, the first frame or page only. One difference is meant: 16-bit samples
/// are scaled to 8 bits (their high byte stays), where Pillow clips them to 255. A truncated or damaged picture is an
/// error, never half a picture. Safe to call from many threads.
/// </summary>
public static class ImageDecoder
{
    /// <summary>The usual suffixes of the formats, with the dot; case does not matter.</summary>
    public static IReadOnlySet<string> FileExtensions { get; private set; } = new[]
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>What to do with a photo in a phone's format, HEIC or AVIF, which is not decoded: a sentence or two.</summary>
    public const string HeicRemedy =
        "Export it as JPEG: an iPhone saves JPEG itself with Settings > Camera > Formats > Most Compatible. The package Graft.Imaging.Heif reads it.";

    private static readonly Lock Registering = new();

    private static IImageFormat[] s_registered = [];

    /// <summary>
    /// From now on photos of this format are decoded too, in the whole process; a format of the same type that was registered before is
    /// replaced. Those that Graft decodes itself stay its own.
    /// </summary>
    public static void Register(IImageFormat format)
    {
        ArgumentNullException.ThrowIfNull(format);
        lock (Registering)
        {
            s_registered = [.. s_registered.Where(other => other.GetType() != format.GetType()), format];
            FileExtensions = FileExtensions.Concat(format.FileExtensions).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        }
    }

    /// <summary>True where the first bytes (12 suffice) are the signature of a format that is decoded.</summary>
    public static bool LooksLikeImage(ReadOnlySpan<byte> start) =>
        FormatOf(start) is not null;

    /// <summary>
    /// What a file is by its first bytes (12 suffice), whatever it is called: JPEG, PNG, BMP, GIF, WebP, TIFF, PNM (PBM, PGM, PPM) or of a format that
    /// was registered; null for anything else.
    /// </summary>
    public static string? FormatOf(ReadOnlySpan<byte> start)
    {
        if (ImageSignature.Recognize(start) is var format and not ImageFormat.Unknown) return format.Name();
        foreach (var other in s_registered)
            if (other.NameOf(start) is { } name) return name;
        return null;
    }

    /// <summary>
    /// Whether a PNG, TIFF or PNM that can be decoded stores 9 to 16 bits a sample, of which the result has the highest 8. Cameras and
    /// microscopes that fill only the lower 12 of 16 bits so give nearly black pictures: no result is above 15.
    /// </summary>
    public static bool IsSixteenBit(ReadOnlySpan<byte> file) => ImageSignature.Recognize(file) switch
    {
        ImageFormat.Png => file[24] == 16,
        ImageFormat.Tiff => TiffDirectory.Read(file, DecodingOptions.Default).BitsPerSample == 16,
        ImageFormat.Pnm => PnmDecoder.LargestSample(file) > 255,
        _ => false,
    };

    /// <exception cref="UnreadableImageException">
    /// The file is missing, may not be read, is empty, too large, no picture, or broken; the message begins with the
    /// path.
    /// </exception>
    public static RgbImage Decode(string path, DecodingOptions? options = null)
    {
        using var lease = new DecodingLease();
        return DecodeFile(path, options, lease);
    }

    /// <param name="file">The whole file, as it lies on disk.</param>
    /// <param name="options">Limits; <see cref="DecodingOptions.Default"/> if null.</param>
    /// <exception cref="UnreadableImageException">The bytes are no picture, or a broken or oversized one.</exception>
    public static RgbImage Decode(ReadOnlyMemory<byte> file, DecodingOptions? options = null)
    {
        using var lease = new DecodingLease();
        return DecodeBytes(file, options, lease);
    }

    /// <summary>
    /// Decodes a picture that only <paramref name="use"/> sees, such as <see cref="Preprocessing.Resize"/>, and returns what that returns.
    /// Until then the picture counts among what all threads may hold at a time, so that many cores with large photos do not run out
    /// of memory.
    /// </summary>
    /// <inheritdoc cref="Decode(string, DecodingOptions?)"/>
    public static T Decode<T>(string path, Func<RgbImage, T> use, DecodingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(use);
        using var lease = new DecodingLease();
        return Use(() => DecodeFile(path, options, lease), use, lease);
    }

    /// <inheritdoc cref="Decode{T}(string, Func{RgbImage, T}, DecodingOptions?)"/>
    /// <param name="file">The whole file, as it lies on disk.</param>
    /// <param name="use">Must not keep the picture.</param>
    /// <param name="options">Limits; <see cref="DecodingOptions.Default"/> if null.</param>
    public static T Decode<T>(ReadOnlyMemory<byte> file, Func<RgbImage, T> use, DecodingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(use);
        using var lease = new DecodingLease();
        return Use(() => DecodeBytes(file, options, lease), use, lease);
    }

    // By itself, so that no frame below the lease's end still refers to the picture.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static T Use<T>(Func<RgbImage> decode, Func<RgbImage, T> use, DecodingLease lease)
    {
        var image = decode();
        var result = use(image);
        if (!ReferenceEquals(result, image)) lease.Drop(image);
        return result;
    }

    private static RgbImage DecodeFile(string path, DecodingOptions? options, DecodingLease lease)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= DecodingOptions.Default;
        try
        {
            return DecodeBytes(Read(path, options), options, lease);
        }
        catch (UnreadableImageException unreadable) when (unreadable.Path is null)
        {
            throw new UnreadableImageException(unreadable.Reason, path, unreadable);
        }
    }

    private static RgbImage DecodeBytes(ReadOnlyMemory<byte> file, DecodingOptions? options, DecodingLease lease)
    {
        options ??= DecodingOptions.Default;
        if (file.IsEmpty) throw new UnreadableImageException("the file is empty");
        CheckBytes(file.Length, options);
        lease.Begin(options, file.Length);
        var format = ImageSignature.Recognize(file.Span);
        return format switch
        {
            ImageFormat.Unknown => DecodeRegistered(file.Span, lease),
            ImageFormat.Gif => GifDecoder.Decode(file.Span, options, lease),
            ImageFormat.Pnm => PnmDecoder.Decode(file.Span, options, lease),
            ImageFormat.Tiff => TiffDecoder.Decode(file, options, lease),
            _ => SkiaDecoder.Decode(file, format, options, lease),
        };
    }

    private static RgbImage DecodeRegistered(ReadOnlySpan<byte> file, DecodingLease lease)
    {
        foreach (var format in s_registered)
        {
            if (format.NameOf(file) is null) continue;
            var (width, height, bytes) = format.Measure(file);
            lease.Take(width, height, bytes);
            return format.Decode(file);
        }
        throw NotDecoded(file);
    }

    private static UnreadableImageException NotDecoded(ReadOnlySpan<byte> file)
    {
        const string Decoded = "JPEG, PNG, BMP, GIF, WebP, TIFF and PNM are";
        return ImageSignature.Foreign(file) is { } foreign
            ? new($"{foreign}, which is not decoded; {Decoded}. {(foreign.Contains("HEIC", StringComparison.Ordinal) || foreign.Contains("AVIF", StringComparison.Ordinal) ? HeicRemedy : "Convert it first.")}")
            : new($"not a picture: its first bytes belong to no format that is decoded ({Decoded})");
    }

    private static void CheckBytes(long bytes, DecodingOptions options)
    {
        if (bytes > options.MaxFileBytes)
        {
            throw new UnreadableImageException(
                $"too large: {bytes} bytes, where at most {options.MaxFileBytes} are read. Save it smaller.");
        }
    }

    private static byte[] Read(string path, DecodingOptions options)
    {
        try
        {
            var file = new FileInfo(path);
            if (Directory.Exists(path)) throw new UnreadableImageException("this is a folder, not a picture");
            if (!file.Exists) throw new UnreadableImageException("there is no such file");
            // Pipes and devices have no length either; opening one could wait for ever.
            if (file.Length == 0) throw new UnreadableImageException("the file is empty");
            CheckBytes(file.Length, options);
            return File.ReadAllBytes(path);
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new UnreadableImageException("permission to read the file was denied", innerException: denied);
        }
        catch (IOException failure)
        {
            throw new UnreadableImageException($"the file cannot be read: {failure.Message}", innerException: failure);
        }
    }
}
