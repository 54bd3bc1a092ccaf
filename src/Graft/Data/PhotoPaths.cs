using Graft.Data.Collections;
using Graft.Data.Remote;
using Microsoft.Extensions.FileSystemGlobbing;
using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Graft.Data;

/// <summary>The photos that a path stands for, and the paths that are not photos.</summary>
/// <param name="Photos">Files that may be photos, and members of collections (tar, zip, Parquet); what does not decode is found out later.</param>
/// <param name="Skipped">Paths that lead nowhere, and images that cannot be read, with the reason. Other files are not listed.</param>
public sealed record FoundPhotos(IReadOnlyList<string> Photos, IReadOnlyList<SkippedFile> Skipped);

/// <summary>Finds photos without labels: a file, a folder's with those of the folders below it, or those that a pattern matches.</summary>
public static class PhotoPaths
{
    private static readonly StringComparison Case = OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;

    /// <summary>The photos at a path, in the ordinal order of their paths. Hidden files and files of operating systems are ignored.</summary>
    /// <param name="path">
    /// A file, taken whatever it is called; a folder; a collection (tar, zip, Parquet), or a path into one; or a pattern in which <c>*</c>
    /// stands for any part of a name and <c>**</c> for any folders, also none, and <c>{000..012}</c> for numbers; or what lies on other machines:
    /// <c>s3://bucket/prefix</c>, a list <c>https://host/photos.txt</c>, a photo or collection there.
    /// </param>
    /// <param name="except">Folders whose photos do not count where a folder or a pattern would reach them; null for none.</param>
    public static FoundPhotos Find(string path, IReadOnlyCollection<string>? except = null)
    {
        if (!Path.Exists(path) && CollectionPattern.Braces(path) is { Count: > 1 } several) return Join([.. several.Select(one => Find(one, except))]);
        if (RemotePlace.Is(path)) return FindRemote(RemotePlace.Of(path));
        if (PhotoCollection.In(path) is { } inner) return InCollection(path, inner.File, inner.Name);
        // What has no length may be a pipe or a device, which could block a reader for ever or never end.
        if (File.Exists(path)) return FolderListing.HasLength(path) ? new([path], []) : new([], [new(path, "empty file, pipe or device")]);
        var isPattern = path.Contains('*') && !Directory.Exists(path);
        var (folder, pattern) = isPattern ? Divide(path) : (path, "");
        if (!isPattern && !Directory.Exists(folder)) return new([], [new(path, "there is no such file or folder")]);

        var findings = new DataFindings(folder, new());
        List<string> photos = [];
        if (!isPattern)
        {
            photos.AddRange(FolderListing.ImagesBelow(folder, findings));
        }
        else if (Directory.Exists(folder.Length == 0 ? "." : folder))
        {
            var found = new Matcher(Case).AddInclude(pattern).Execute(new ListedFolder(folder.Length == 0 ? "." : folder, findings));
            photos.AddRange(found.Files.Select(file => Path.Join(folder, file.Path.Replace('/', Path.DirectorySeparatorChar))));
            foreach (var collection in photos.Where(PhotoCollection.IsAt).ToList())
            {
                var inside = InCollection(collection, collection, "");
                photos.Remove(collection);
                photos.AddRange(inside.Photos);
                foreach (var file in inside.Skipped) findings.Skip(file.Path, file.Reason);
            }
        }
        string[] excepted = [.. (except ?? []).Where(other => photos.RemoveAll(photo => IsIn(other, photo)) > 0)];
        photos.Sort(string.CompareOrdinal);
        List<SkippedFile> skipped =
        [
            .. findings.Skipped.Where(file => file.Reason != ImageFormat.NotAnImage),
            .. findings.Problems.Select(problem => new SkippedFile(path, problem)),
        ];
        if (photos.Count + skipped.Count == 0)
        {
            skipped.Add(new(path, excepted.Length > 0 ? $"its photos all lie in {string.Join(" or ", excepted)}, where results are written to"
                : isPattern ? "no photo matches this pattern" : "the folder holds no photos"));
        }
        return new(photos, skipped);
    }

    private static FoundPhotos FindRemote(string path)
    {
        PhotoCollection.ForgetRemote(path);
        if (path.Contains('*')) return Join([.. CollectionPattern.Files(path).Select(file => InCollection(file, file, ""))]);
        if (Path.GetExtension(path).Equals(".txt", StringComparison.OrdinalIgnoreCase)) path = PhotoCollection.OpenList(path).Path;
        // What is no collection is a photo, of whatever name: reading it tells.
        return PhotoCollection.In(path) is { } inner ? InCollection(path, inner.File, inner.Name) : new([path], []);
    }

    private static FoundPhotos Join(IReadOnlyList<FoundPhotos> found) =>
        new([.. found.SelectMany(part => part.Photos)], [.. found.SelectMany(part => part.Skipped)]);

    private static FoundPhotos InCollection(string path, string file, string name)
    {
        try
        {
            var collection = PhotoCollection.Open(file);
            if (name.Length > 0 && collection.Folder(name) is null)
                return collection.Holds(name) ? new([path], []) : new([], [new(path, "the collection holds nothing of that name")]);
            var findings = new DataFindings(path, new());
            string[] photos = [.. FolderListing.ImagesBelow(path, findings).Order(StringComparer.Ordinal)];
            List<SkippedFile> skipped = [.. findings.Skipped.Where(skip => skip.Reason != ImageFormat.NotAnImage)];
            if (photos.Length + skipped.Count == 0) skipped.Add(new(path, "the collection holds no photos"));
            return new(photos, skipped);
        }
        catch (DataException damaged)
        {
            return new([], [new(file, damaged.Message)]);
        }
    }

    private static bool IsIn(string folder, string photo) => Path.GetFullPath(photo).StartsWith(
        Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar, Case);

    /// <summary>The folder that a pattern starts from, "" for the current one, and the rest.</summary>
    private static (string Folder, string Pattern) Divide(string path)
    {
        var start = path.LastIndexOfAny([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], path.IndexOf('*')) + 1;
        return (path[..start], path[start..]);
    }

    /// <summary>A folder as <see cref="FolderListing"/> sees it, for the matcher to walk.</summary>
    private sealed class ListedFolder(string path, DataFindings findings) : DirectoryInfoBase
    {
        public override string Name => Path.GetFileName(path);

        public override string FullName => path;

        public override DirectoryInfoBase ParentDirectory => new ListedFolder(Path.Join(path, ".."), findings);

        public override IEnumerable<FileSystemInfoBase> EnumerateFileSystemInfos()
        {
            var listing = FolderListing.Of(path, findings);
            return
            [
                .. listing.Images.Select(image => new FileInfoWrapper(new(image))),
                .. listing.Folders.Select(folder => PhotoCollection.IsAt(folder) ? (FileSystemInfoBase)new FileInfoWrapper(new(folder)) : new ListedFolder(folder, findings)),
            ];
        }

        public override DirectoryInfoBase GetDirectory(string name) => new ListedFolder(Path.Join(path, name), findings);

        public override FileInfoBase GetFile(string name) => new FileInfoWrapper(new(Path.Join(path, name)));
    }
}
