namespace Graft.Backbones;

/// <summary>A weights file that a package brings and the build copies into the folder <c>backbones</c> beside the application.</summary>
/// <param name="FileName">Its name there.</param>
/// <param name="Package">The package that it comes with.</param>
public sealed record BundledFile(string FileName, string Package)
{
    /// <summary>Whether the build laid the file there.</summary>
    public bool IsPresent => File.Exists(Path);

    private string Path => System.IO.Path.Combine(AppContext.BaseDirectory, "backbones", FileName);

    /// <exception cref="GraftException">It is not there.</exception>
    internal string Locate() => IsPresent
        ? Path
        : throw new GraftException(
            $"There is no file {Path}. It comes with the package {Package}, unless it is built with GraftBundledBackbone=false.")
        {
            Code = "bundled-weights-missing",
            Remedy = "Name a copy of it, or choose another backbone, such as tiny.",
        };
}
