//! Writes a solution for ParaView and others that read VTK's files.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use vtkio::model::*;

use crate::basis::Basis;
use crate::mesh::Mesh;

/// Writes the values at the nodes as linear simplices between them, which every reader can show: the nodes
/// of `mesh` are the corners of the mesh with `steps` = degree * cells parts along each side.
///
/// # Errors
/// Those of the file.
pub fn write(file: File, mesh: &Mesh, steps: usize, u: &[f64]) -> Result<(), Box<dyn Error>> {
    let dim = mesh.dim;
    let fine = Mesh::new(&Basis::new(dim, 1), steps);
    let count = fine.simplices().len();
    let corners = fine.simplices().flat_map(|(nodes, _)| nodes).map(|&node| node.into()).collect();
    let ends = (1..=count).map(|simplex| (simplex * (dim + 1)) as u64).collect();
    let values = Attribute::DataArray(DataArray::scalars("u", 1).with_vec(u.to_vec()));
    let point = |x: &Vec<f64>| [x[0], x[1], x.get(2).copied().unwrap_or(0.0)];
    let data = DataSet::inline(UnstructuredGridPiece {
        points: mesh.points.iter().flat_map(point).collect::<Vec<f64>>().into(),
        cells: Cells {
            cell_verts: VertexNumbers::XML { connectivity: corners, offsets: ends },
            types: vec![if dim == 2 { CellType::Triangle } else { CellType::Tetra }; count],
        },
        data: Attributes { point: vec![values], cell: vec![] },
    });
    let (version, byte_order) = (Version::new_xml(1, 0), ByteOrder::LittleEndian);
    let mut writer = BufWriter::new(file);
    Vtk { version, title: String::new(), byte_order, data, file_path: None }.write_xml(&mut writer)?;
    Ok(writer.flush()?)
}
