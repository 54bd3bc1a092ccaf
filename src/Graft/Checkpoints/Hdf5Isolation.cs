using System.Collections;
using System.Reflection;
using PureHDF.Filters;
using PureHDF.VOL.Native;

namespace Graft.Checkpoints;

/// <summary>
/// Keeps PureHDF to the one file that it was given. HDF5 knows three ways into other files: external links, which PureHDF follows
/// whenever a path leads through one, external storage, and virtual datasets. A stranger's file must not read a user's. Nor may a
/// compressed chunk become larger than the file says.
/// </summary>
internal static class Hdf5Isolation
{
    private const BindingFlags Internal = BindingFlags.Instance | BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public;

    // PureHDF opens linked files through this cache, by file, and has no setting against it. Without a place in the cache, every
    // attempt fails before the linked file is opened, and the link counts as broken.
    private static readonly IDictionary LinkedFiles = (IDictionary)Member(
        typeof(NativeFile).Assembly.GetType("PureHDF.VOL.Native.NativeCache")?.GetField("_fileMap", Internal)).GetValue(null)!;

    private static readonly PropertyInfo Context = Member(typeof(NativeObject).GetProperty("Context", Internal));
    private static readonly PropertyInfo Driver = Member(Context.PropertyType.GetProperty("Driver", Internal));
    private static readonly PropertyInfo ExternalFiles = Member(typeof(NativeDataset).GetProperty("InternalExternalFileList", Internal));

    static Hdf5Isolation() => H5Filter.Register(new BoundedDeflate());

    /// <summary>Links of this file into other files are broken from now on.</summary>
    public static void Seal(NativeFile file) => LinkedFiles[DriverOf(file)] = null;

    /// <summary>To be called before the file is disposed of.</summary>
    public static void Release(NativeFile file) => LinkedFiles.Remove(DriverOf(file));

    /// <summary>Whether the values of a dataset lie in other files.</summary>
    public static bool LiesElsewhere(NativeDataset dataset) =>
        dataset.Layout.Class == PureHDF.H5DataLayoutClass.VirtualStorage || ExternalFiles.GetValue(dataset) is not null;

    private static object DriverOf(NativeFile file) => Driver.GetValue(Context.GetValue(file))!;

    private static T Member<T>(T? member) where T : MemberInfo =>
        member ?? throw new NotSupportedException("This version of PureHDF cannot be kept from reading other files.");
}
